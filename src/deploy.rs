//! The mapper of this very build is on the host, by hash: one constant script over the pipe that the mapper then uses.
//!
//! Where it is there already that costs no round trip: what the script has to know goes out with it, the order for the
//! mapper right behind, and what comes back is the mapper itself.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use log::{debug, info, warn};
use mapper::frame::MARKER;
use mapper::message::BUILD;
use reducer::report::Phase;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::transport::patience::within;
use crate::transport::{AttemptError, Pipe};

/// The script, as it is read here.
const SCRIPT: &str = include_str!("deploy/bootstrap.sh");

/// What its lines begin with.
const WORD: &[u8] = b"@logstitch@ ";

/// Bytes that a host may print around the script's answers.
const NOISE_BYTES: usize = 64 << 10;

/// A script asks once for each folder it tries.
const MOST_NEEDS: u32 = 4;

/// Bytes of a mapper.
const MAPPER_BYTES: u64 = 1 << 30;

/// Bytes that are written at once, each within the silence that a host is allowed.
const CHUNK_BYTES: usize = 64 << 10;

/// The script as one word, right for any login shell.
fn script() -> &'static str {
    static WORD: OnceLock<String> = OnceLock::new();
    WORD.get_or_init(|| {
        let lines = SCRIPT
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        format!("'{}'", lines.collect::<Vec<_>>().join(" "))
    })
}

/// The mappers that can be sent, by what `uname` says of a host.
#[derive(Debug, Default)]
pub struct Mappers {
    by_host: BTreeMap<(&'static str, &'static str), Mapper>,
    /// What was looked at and does not do.
    notes: Vec<String>,
}

#[derive(Debug)]
struct Mapper {
    path: PathBuf,
    bytes: Vec<u8>,
    hash: String,
}

impl Mappers {
    /// Those that the job names, or lie beside this executable, or this executable itself: the first of each kind.
    pub fn find(named: Option<&Path>) -> Mappers {
        let mut mappers = Mappers::default();
        if let Some(path) = named {
            mappers.add(path, true);
            return mappers;
        }
        let Ok(executable) = std::env::current_exe() else {
            return mappers;
        };
        let folder = executable.parent().unwrap_or(Path::new("/"));
        mappers.add(&folder.join("logstitch-mapper"), false);
        for (_, _, arch) in MACHINES {
            mappers.add(&folder.join(format!("logstitch-mapper-{arch}")), false);
        }
        mappers.add(&executable, false);
        mappers
    }

    fn add(&mut self, path: &Path, is_named: bool) {
        match Mapper::read(path) {
            Ok((kind, mapper)) => {
                self.by_host.entry(kind).or_insert(mapper);
            }
            Err(None) if !is_named => {}
            Err(None) => self.notes.push(format!("{}: not there", path.display())),
            Err(Some(error)) => {
                warn!("{}: {error}", path.display());
                self.notes.push(format!("{}: {error}", path.display()));
            }
        }
    }

    /// The command line that becomes a mapper: right for any login shell, and for `sh -c` too. So many bytes of an order
    /// follow it unasked.
    pub fn bootstrap(
        &self,
        deploy_dir: Option<&str>,
        ahead_bytes: usize,
    ) -> Result<String, AttemptError> {
        let deploy_dir = deploy_dir.unwrap_or("");
        // What some shell reads in single quotes as more than itself.
        let is_more = |char: char| char.is_control() || matches!(char, '\'' | '\\' | '!');
        if let Some(char) = deploy_dir.chars().find(|&char| is_more(char)) {
            return Err(AttemptError::lasting(
                Phase::Deploy,
                format!("`[run] deploy_dir` holds {char:?}, which not every login shell passes on"),
            ));
        }
        let script = script();
        let mut command = format!("exec sh -c {script} logstitch '{deploy_dir}' {ahead_bytes}");
        for ((os, arch), mapper) in &self.by_host {
            let (hash, size) = (&mapper.hash, mapper.bytes.len());
            command.push_str(&format!(" {os} {arch} {hash} {size}"));
        }
        Ok(command)
    }

    fn missing(&self, os: &str, arch: &str) -> String {
        let mut text = format!(
            "there is no mapper for {} {}; build logstitch-mapper for it and put it beside this executable as \
             logstitch-mapper-{}, or name it by `[run] mapper`",
            os.escape_debug(),
            arch.escape_debug(),
            arch.escape_debug()
        );
        for note in &self.notes {
            text.push_str("; ");
            text.push_str(note);
        }
        text
    }
}

/// ELF's number of a machine, whether it is of 64 bits, and what `uname -m` calls it.
const MACHINES: [(u16, u8, &str); 6] = [
    (62, 2, "x86_64"),
    (183, 2, "aarch64"),
    (243, 2, "riscv64"),
    (21, 2, "ppc64le"),
    (22, 2, "s390x"),
    (40, 1, "armv7l"),
];

impl Mapper {
    /// A file and what it is for; None where there is no such file.
    fn read(path: &Path) -> Result<((&'static str, &'static str), Mapper), Option<String>> {
        let size = match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(_) => return Err(Some("not a file".to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(None),
            Err(error) => return Err(Some(error.to_string())),
        };
        if size > MAPPER_BYTES {
            return Err(Some(format!("{size} bytes are no mapper")));
        }
        let bytes = std::fs::read(path).map_err(|error| Some(error.to_string()))?;
        let kind = kind(&bytes).ok_or_else(|| Some("not an executable for Linux".to_owned()))?;
        if memchr::memmem::find(&bytes, BUILD.as_bytes()).is_none() {
            return Err(Some(format!("of another build than this one, {BUILD}")));
        }
        let hash = Sha256::digest(&bytes);
        let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((
            kind,
            Mapper {
                path: path.to_owned(),
                bytes,
                hash,
            },
        ))
    }
}

/// What an ELF file runs on.
fn kind(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let header = bytes.get(..20)?;
    if !header.starts_with(b"\x7fELF") {
        return None;
    }
    let machine = match header[5] {
        2 => u16::from_be_bytes([header[18], header[19]]),
        _ => u16::from_le_bytes([header[18], header[19]]),
    };
    let found = MACHINES
        .iter()
        .find(|(number, class, _)| *number == machine && *class == header[4]);
    found.map(|(_, _, arch)| ("Linux", *arch))
}

/// What a script has said so far.
#[derive(Debug, PartialEq)]
enum Answer {
    /// The marker is in: everything from it on is the mapper's.
    Mapper,
    Need {
        os: String,
        arch: String,
    },
    Unfit {
        os: String,
        arch: String,
    },
    Failed(String),
}

/// Finds answers in bytes, whatever stands around them.
#[derive(Default)]
struct Answers {
    buffer: Vec<u8>,
}

impl Answers {
    /// The next answer; None: push more. What a login shell prints is skipped, up to a bound.
    fn next(&mut self) -> Result<Option<Answer>, String> {
        // Whichever comes first: a line of the script, or the mapper.
        let marker = memchr::memmem::find(&self.buffer, MARKER);
        let word = memchr::memmem::find(&self.buffer, WORD);
        let at = match (marker, word) {
            (Some(at), word) if word.is_none_or(|word| at < word) => {
                self.buffer.drain(..at);
                return Ok(Some(Answer::Mapper));
            }
            (_, Some(at)) => at,
            _ => self.buffer.len(),
        };
        if at > NOISE_BYTES {
            return Err(format!(
                "the far side prints more than {NOISE_BYTES} bytes and is no mapper; they begin with `{}`",
                shortened(&String::from_utf8_lossy(&self.buffer[..200]))
            ));
        }
        let line = &self.buffer[at..];
        let Some(end) = memchr::memchr(b'\n', line) else {
            return match line.len() {
                0..=NOISE_BYTES => Ok(None),
                _ => Err("the script at the far side says a line without an end".to_owned()),
            };
        };
        let line = String::from_utf8_lossy(&line[WORD.len()..end]).into_owned();
        let noise: Vec<u8> = self.buffer.drain(..=at + end).take(at).collect();
        debug!(
            "before the mapper: {}",
            shortened(&String::from_utf8_lossy(&noise))
        );
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let (os, arch) = rest.split_once(' ').unwrap_or((rest, ""));
        let (os, arch) = (shortened(os), shortened(arch));
        match word {
            "need" => Ok(Some(Answer::Need { os, arch })),
            "unfit" => Ok(Some(Answer::Unfit { os, arch })),
            "failed" => Ok(Some(Answer::Failed(shortened(rest)))),
            _ => Err(format!("an answer that is none: {}", shortened(&line))),
        }
    }

    /// The last line that was no answer: it may say why nothing else comes.
    fn last_line(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.buffer);
        let line = text
            .lines()
            .rev()
            .map(str::trim)
            .find(|line| !line.is_empty());
        line.map(shortened)
    }
}

/// Text of a host as an error may show it.
fn shortened(text: &str) -> String {
    let text: String = text.chars().take(1000).collect();
    text.escape_debug().to_string()
}

/// What has become of the script.
pub struct Deployed {
    /// What of the mapper's output is read already.
    pub early: Vec<u8>,
    /// Whether the mapper had to be sent: an order that went ahead was lost on it.
    pub was_sent: bool,
}

/// Has the script of `Mappers::bootstrap` at the far end of the pipe become a mapper. Counts what was sent.
pub async fn deploy(
    pipe: &mut Pipe,
    mappers: &Mappers,
    silence: Duration,
    sent_bytes: &mut u64,
) -> Result<Deployed, AttemptError> {
    let mut answers = Answers::default();
    let mut buffer = vec![0; 16 << 10];
    let mut needs = 0;
    loop {
        let answer = answers
            .next()
            .map_err(|error| AttemptError::lasting(Phase::Deploy, error))?;
        match answer {
            Some(Answer::Mapper) => {
                return Ok(Deployed {
                    early: answers.buffer,
                    was_sent: needs > 0,
                });
            }
            Some(Answer::Need { os, arch }) => {
                needs += 1;
                let mapper = mappers
                    .by_host
                    .iter()
                    .find(|((mapper_os, mapper_arch), _)| *mapper_os == os && *mapper_arch == arch);
                let Some((_, mapper)) = mapper.filter(|_| needs <= MOST_NEEDS) else {
                    return Err(AttemptError::lasting(
                        Phase::Deploy,
                        "it asks for a mapper that was not offered",
                    ));
                };
                info!(
                    "{}: sent to a host, {} bytes",
                    mapper.path.display(),
                    mapper.bytes.len()
                );
                send(pipe, &mapper.bytes, silence, sent_bytes).await?;
            }
            Some(Answer::Unfit { os, arch }) => {
                return Err(AttemptError::lasting(
                    Phase::Deploy,
                    mappers.missing(&os, &arch),
                ));
            }
            Some(Answer::Failed(why)) => {
                let help = if why.contains("GLIBC") || why.contains("not found") {
                    "a static logstitch-mapper beside this executable runs anywhere"
                } else {
                    "`[run] deploy_dir` names another folder"
                };
                return Err(AttemptError::lasting(
                    Phase::Deploy,
                    format!("{why}; {help}"),
                ));
            }
            None => {
                let read = match within(silence, pipe.stdout.read(&mut buffer)).await {
                    Some(read) => read.map_err(lost)?,
                    None => return Err(silent(silence)),
                };
                if read == 0 {
                    let said = answers
                        .last_line()
                        .map_or_else(String::new, |said| format!(", after `{said}`"));
                    return Err(AttemptError::passing(
                        Phase::Deploy,
                        format!("ended before there was a mapper{said}"),
                    ));
                }
                answers.buffer.extend_from_slice(&buffer[..read]);
            }
        }
    }
}

async fn send(
    pipe: &mut Pipe,
    bytes: &[u8],
    silence: Duration,
    sent_bytes: &mut u64,
) -> Result<(), AttemptError> {
    for chunk in bytes.chunks(CHUNK_BYTES) {
        match within(silence, pipe.stdin.write_all(chunk)).await {
            Some(Ok(())) => *sent_bytes += chunk.len() as u64,
            // What it says before it ends is worth more than the broken pipe.
            Some(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Some(Err(error)) => return Err(lost(error)),
            None => return Err(silent(silence)),
        }
    }
    match within(silence, pipe.stdin.flush()).await {
        Some(_) => Ok(()),
        None => Err(silent(silence)),
    }
}

fn lost(error: io::Error) -> AttemptError {
    AttemptError::passing(Phase::Deploy, format!("connection lost: {error}"))
}

fn silent(silence: Duration) -> AttemptError {
    AttemptError::passing(
        Phase::Timeout,
        format!(
            "no sign of life for {} s before the mapper ran",
            silence.as_secs()
        ),
    )
}

/// The mappers of a run, looked for when the first host needs one.
pub struct Shared {
    named: Option<PathBuf>,
    found: OnceLock<Mappers>,
}

impl Shared {
    pub fn new(named: Option<PathBuf>) -> Shared {
        Shared {
            named,
            found: OnceLock::new(),
        }
    }

    pub fn mappers(&self) -> &Mappers {
        self.found
            .get_or_init(|| Mappers::find(self.named.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_goes_through_any_login_shell() {
        let script = script().strip_prefix('\'').unwrap();
        let script = script.strip_suffix('\'').unwrap();
        for char in ['\'', '!', '\\', '\n', '\t'] {
            assert!(!script.contains(char), "{char:?}");
        }
        assert!(script.is_ascii() && script.len() < 8000);
    }

    #[test]
    fn a_folder_that_some_shell_would_read_otherwise_is_refused() {
        let mappers = Mappers::default();
        for folder in ["a'b", "a\\b", "wow!", "two\nlines"] {
            let refused = mappers.bootstrap(Some(folder), 0).unwrap_err();
            assert!(refused.message.contains("deploy_dir"), "{folder:?}");
        }
        let command = mappers.bootstrap(Some("~/my $HOME"), 7).unwrap();
        assert!(command.ends_with(" logstitch '~/my $HOME' 7"), "{command}");
    }

    fn answers(text: &[u8]) -> Answers {
        Answers {
            buffer: text.to_vec(),
        }
    }

    #[test]
    fn answers_are_found_among_noise() {
        let mut found = answers(b"Welcome!\nno line end here\n@logstitch@ need Linux x86_64\nx");
        let need = Answer::Need {
            os: "Linux".to_owned(),
            arch: "x86_64".to_owned(),
        };
        assert_eq!(found.next(), Ok(Some(need)));
        assert_eq!(found.next(), Ok(None));
        found.buffer.extend_from_slice(MARKER);
        found.buffer.extend_from_slice(b"rest");
        assert_eq!(found.next(), Ok(Some(Answer::Mapper)));
        assert!(found.buffer.starts_with(MARKER) && found.buffer.ends_with(b"rest"));
    }

    #[test]
    fn failures_are_shown_without_control_characters() {
        let mut found = answers(b"@logstitch@ failed no \x1b[31mfolder\n");
        let Ok(Some(Answer::Failed(why))) = found.next() else {
            panic!("no failure");
        };
        assert_eq!(why, "no \\u{1b}[31mfolder");
        assert!(answers(b"@logstitch@ dance\n").next().is_err());
    }

    #[test]
    fn endless_noise_is_cut_off() {
        let line = [&[b'x'; 1000][..], b"\n"].concat();
        let mut found = answers(&line.repeat(100));
        assert!(found.next().is_err());
        let mut found = answers(&[b'x'; NOISE_BYTES + 1]);
        assert!(found.next().is_err());
    }

    #[test]
    fn executables_say_what_they_run_on() {
        let mut elf = b"\x7fELF\x02\x01".to_vec();
        elf.resize(18, 0);
        elf.extend_from_slice(&183_u16.to_le_bytes());
        assert_eq!(kind(&elf), Some(("Linux", "aarch64")));
        elf[5] = 2;
        assert_eq!(kind(&elf), None);
        assert_eq!(kind(b"#!/bin/sh\n"), None);
        let own = std::env::current_exe().unwrap();
        assert!(kind(&std::fs::read(own).unwrap()).is_some());
    }
}
