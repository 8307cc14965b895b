//! A server that misbehaves on purpose: between a real mapper and the runner it tears, repeats, forges and reorders
//! frames. The other host's rows never change, and where a second attempt is honest nothing is lost.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mapper::chunks;
use mapper::frame::{Blob, Decoder, HEADER_BYTES, MARKER};
use mapper::message::{FromMapper, Part, ToMapper};
use mapper::operator::{append_record, record_lengths};
use mapper::tally::StreamTally;
use russh::server::{self, Auth, ChannelOpenHandle, Msg, Session};
use russh::{Channel, ChannelId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::harness::rows;
use crate::ssh::summary;
use crate::sshd::{Site, free_port, public_key};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Torn,
    Replayed,
    Length,
    Checksum,
    Kind,
    OutOfOrder,
    OtherHost,
    SecondManifest,
    EndlessNoise,
    EarlyDone,
    Tally,
    Counts,
    /// An hour ahead; nothing else is wrong with it.
    Clock,
}

const AHEAD_NS: i64 = 3_600_000_000_000;

/// The server, until it is dropped.
struct Hostile {
    wrong: Wrong,
    /// Attempts that go wrong; those after them are honest.
    times: u32,
    attempts: AtomicU32,
}

struct Connection {
    hostile: Arc<Hostile>,
    channel: Option<Channel<Msg>>,
}

impl server::Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _user: &str,
        _key: &russh::keys::ssh_key::PublicKey,
    ) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.channel = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(id)?;
        let channel = self.channel.take().expect("it was opened");
        let attempt = self.hostile.attempts.fetch_add(1, Ordering::Relaxed);
        let wrong = (attempt < self.hostile.times).then_some(self.hostile.wrong);
        let handle = session.handle();
        tokio::spawn(async move {
            between(channel, wrong).await;
            let _ = handle.close(id).await;
        });
        Ok(())
    }
}

/// Carries words between the runner and a mapper, and changes them.
async fn between(channel: Channel<Msg>, wrong: Option<Wrong>) -> Option<()> {
    let (mut from_runner, mut to_runner) = tokio::io::split(channel.into_stream());
    let mut child = Command::new(env!("CARGO_BIN_EXE_logstitch"))
        .arg("map")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut stdin, stdout) = (child.stdin.take()?, child.stdout.take()?);
    let orders = tokio::spawn(async move {
        let mut decoder = Decoder::without_marker();
        loop {
            while let Some(message) = decoder.next_message().unwrap() {
                let mut order = ToMapper::decode(&message).unwrap();
                if let (ToMapper::Start(start), Some(Wrong::OtherHost)) = (&mut order, wrong) {
                    start.host_index += 1;
                }
                let mut bytes = Vec::new();
                order.encode(&mut bytes);
                stdin.write_all(&bytes).await.ok()?;
            }
            let mut bytes = vec![0; 64 << 10];
            let read = from_runner
                .read(&mut bytes)
                .await
                .ok()
                .filter(|&read| read > 0)?;
            decoder.push(&bytes[..read]);
        }
        #[allow(unreachable_code, reason = "so that `?` ends it")]
        Some(())
    });
    let ended = changed(&mut to_runner, stdout, wrong).await;
    orders.abort();
    ended
}

/// A mapper's words on their way.
async fn changed(
    to_runner: &mut (impl AsyncWriteExt + Unpin),
    mut stdout: impl AsyncReadExt + Unpin,
    wrong: Option<Wrong>,
) -> Option<()> {
    if wrong == Some(Wrong::EndlessNoise) {
        loop {
            to_runner.write_all(&[b'x'; 1000]).await.ok()?;
        }
    }
    to_runner.write_all(MARKER).await.ok()?;
    let mut decoder = Decoder::new();
    let mut parts = 0;
    let mut held = Vec::new();
    loop {
        while let Some(message) = decoder.next_message().unwrap() {
            let message = FromMapper::decode(&message).unwrap();
            let message = match (wrong, message) {
                (Some(wrong), FromMapper::Part(part)) => {
                    parts += 1;
                    FromMapper::Part(claiming(wrong, part))
                }
                (Some(Wrong::Clock), FromMapper::Pong { clock_ns }) => FromMapper::Pong {
                    clock_ns: clock_ns + AHEAD_NS,
                },
                (_, message) => message,
            };
            let mut bytes = Vec::new();
            message.encode(&mut bytes);
            let is_second = matches!(message, FromMapper::Part(_)) && parts == 2;
            match (wrong, &message) {
                (Some(Wrong::Torn), _) if is_second => {
                    to_runner.write_all(&bytes[..bytes.len() / 2]).await.ok()?;
                    return None;
                }
                (Some(Wrong::Replayed), FromMapper::Part(_)) => bytes.extend(bytes.clone()),
                (Some(Wrong::Length), _) if is_second => bytes[8..12].fill(0xff),
                (Some(Wrong::Checksum), _) if is_second => bytes[HEADER_BYTES + 3] ^= 4,
                (Some(Wrong::Kind), _) if is_second => {
                    bytes.clear();
                    mapper::frame::encode_message(99, b"what", &mut bytes);
                }
                (Some(Wrong::OutOfOrder), FromMapper::Manifest(_)) => {
                    held = std::mem::take(&mut bytes);
                }
                (Some(Wrong::OutOfOrder), FromMapper::Part(_)) => bytes.append(&mut held),
                (Some(Wrong::SecondManifest), FromMapper::Manifest(_)) => {
                    bytes.extend(bytes.clone());
                }
                (Some(Wrong::EarlyDone), _) if is_second => {
                    bytes.clear();
                    FromMapper::Done(Default::default()).encode(&mut bytes);
                }
                _ => {}
            }
            to_runner.write_all(&bytes).await.ok()?;
        }
        let mut bytes = vec![0; 64 << 10];
        let read = stdout
            .read(&mut bytes)
            .await
            .ok()
            .filter(|&read| read > 0)?;
        decoder.push(&bytes[..read]);
    }
}

/// The part, with counts that no log has.
fn claiming(wrong: Wrong, mut part: Part) -> Part {
    if wrong == Wrong::Tally {
        let mut tally: StreamTally = mapper::frame::from_bytes(&part.tally.0).unwrap();
        for file in tally.files.values_mut() {
            (file.bytes, file.lines, file.entries) = (u64::MAX, u64::MAX, u64::MAX);
        }
        part.tally = Blob(mapper::frame::to_bytes(&tally));
    }
    if wrong == Wrong::Counts {
        let mut changed = 0;
        for partial in &mut part.partials {
            let run: Result<Vec<Vec<u8>>, _> = chunks::unpack(&partial.run.0).collect();
            let (run, mut claimed) = (run.unwrap().concat(), Vec::new());
            let mut rest = &run[..];
            while let Some((header, after)) = rest.split_first_chunk() {
                let (key_length, value_length) = record_lengths(header);
                let (record, after) = after.split_at(key_length + value_length);
                let (key, value) = record.split_at(key_length);
                let mut value = value.to_vec();
                // Of the group by host alone: what was counted, of what. 50 lines are in each stream.
                let counts = value.windows(2).position(|pair| pair == [50, 50]);
                if let Some(at) = counts.filter(|_| value.len() < 64) {
                    let greatest = mapper::frame::to_bytes(&(u64::MAX, u64::MAX));
                    value.splice(at..at + 2, greatest);
                    changed += 1;
                }
                append_record(key, &value, &mut claimed);
                rest = after;
            }
            partial.run.0 = chunks::pack(&claimed);
        }
        assert_eq!(changed, 1, "the group of a stream is not where it was");
    }
    part
}

/// Runs the job while such a server stands where a host should.
fn against(site: &Site, wrong: Wrong, times: u32, check: impl FnOnce()) {
    let port = free_port();
    let hostile = Arc::new(Hostile {
        wrong,
        times,
        attempts: AtomicU32::new(0),
    });
    let key = russh::keys::load_secret_key(site.path("hostile_key"), None).unwrap();
    let config = Arc::new(server::Config {
        keys: vec![key],
        auth_rejection_time: std::time::Duration::ZERO,
        ..server::Config::default()
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind(("127.0.0.1", port)))
        .unwrap();
    runtime.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (config, hostile) = (config.clone(), hostile.clone());
            tokio::spawn(async move {
                let connection = Connection {
                    hostile,
                    channel: None,
                };
                if let Ok(session) = server::run_stream(config, stream, connection).await {
                    let _ = session.await;
                }
            });
        }
    });
    site.write_config(&format!(
        "Host hostile\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias hostile\n"
    ));
    check();
    runtime.shutdown_background();
}

fn job(site: &Site, more: &str) -> PathBuf {
    for host in ["hostile", "well"] {
        for stream in 0..4 {
            let lines = (0..50).map(|line| {
                format!(
                    "{{\"time\":\"2026-01-19T14:00:{line:02}Z\",\"n\":{line},\"user\":\"u{}\",\"level\":\"{}\"}}\n",
                    (line + stream) % 7,
                    if line % 11 == 0 { "error" } else { "info" }
                )
            });
            let name = format!("logs/{host}-{}.jsonl", ["a", "b", "c", "d"][stream]);
            site.folder.write(&name, lines.collect::<String>());
        }
    }
    let logs = site.path("logs");
    site.folder.write(
        "job.toml",
        format!(
            "[job]\nname = \"hostile\"\n[hosts.all]\nssh = [\"hostile\", \"well\"]\n[logs.app]\nhosts = [\"all\"]\n\
             paths = [\"{}/{{host}}-*.jsonl\"]\nformat = \"json\"\n[select.all]\n\
             [aggregate.sums]\ngroup = {{ host = \"host\" }}\nselect = {{ lines = \"count(*)\", total = \"sum(n)\" }}\n\
             [context.errors]\nwhere = \"level = 'error'\"\nbefore = 2\nafter = 2\n\
             [session.users]\nby = [\"user\", \"host\"]\nselect = {{ lines = \"count(*)\" }}\n[limits]\nthreads = 1\n{more}\n",
            logs.display()
        ),
    )
}

/// Rows of the other host.
fn of_well(out: &Path) -> Vec<String> {
    let rows = rows(out);
    let lines = rows.iter().flat_map(|(_, text)| text.lines());
    let well = lines.filter(|line| line.contains("\"host\":\"well\""));
    // What a lost host could change is no longer certain, and said so: the rest of the row is as it was.
    well.map(|line| line.replace("\"certain\":false", "\"certain\":true"))
        .collect()
}

fn site(name: &str) -> Site {
    let site = Site::new(name, &["well"]);
    site.key("hostile_key");
    let own = public_key(&site.path("hostile_key.pub"));
    let known = site.folder.read("known_hosts");
    site.folder
        .write("known_hosts", format!("{known}hostile {own}\n"));
    site
}

#[test]
fn a_host_that_lies_harms_no_other() {
    let site = site("hostile");
    let job = job(&site, "[run]\nretries = 0");
    against(&site, Wrong::Torn, 0, || {
        site.logstitch(&job, "honest").ends_with(0);
    });
    for (wrong, said) in [
        (Wrong::Torn, "ended inside a frame"),
        (Wrong::Length, "a frame that claims 4294967295 bytes"),
        (Wrong::Checksum, "checksum is wrong"),
        (Wrong::Kind, "unknown kind 99"),
        (
            Wrong::OutOfOrder,
            "a part of a stream that it does not have",
        ),
        (Wrong::OtherHost, "entries of another host"),
        (Wrong::SecondManifest, "a second manifest"),
        (Wrong::EndlessNoise, "prints more than"),
        (Wrong::EarlyDone, "segments are missing"),
        (Wrong::Tally, "a tally that does not add up"),
    ] {
        let out = format!("{wrong:?}");
        against(&site, wrong, u32::MAX, || {
            let ended = site.logstitch(&job, &out).ends_with(4);
            assert!(ended.stderr.contains(said), "{wrong:?}: {}", ended.stderr);
            assert!(
                ended.stderr.contains("INCOMPLETE: hostile"),
                "{wrong:?}: {}",
                ended.stderr
            );
        });
        let well = of_well(&site.out(&out));
        assert!(well.len() > 200, "{wrong:?}");
        assert_eq!(well, of_well(&site.out("honest")), "{wrong:?}");
        let summary = summary(&site.out(&out));
        assert_ne!(summary["hosts"][0]["state"], "ok", "{wrong:?}");
        assert_eq!(summary["hosts"][1]["state"], "ok", "{wrong:?}");
        let figures = summary["operators"].as_array().unwrap();
        assert!(
            figures
                .iter()
                .all(|operator| operator["figures"] != "complete"),
            "{wrong:?}"
        );
    }
}

#[test]
fn counts_that_no_log_has_break_nothing() {
    let site = site("counts");
    let job = job(&site, "[run]\nretries = 0");
    against(&site, Wrong::Torn, 0, || {
        site.logstitch(&job, "honest").ends_with(0);
    });
    // Four streams claim the greatest count each.
    against(&site, Wrong::Counts, u32::MAX, || {
        site.logstitch(&job, "counts").ends_with(0);
    });
    let counts = rows(&site.out("counts"));
    let claimed = format!("\"host\":\"hostile\",\"lines\":{}", u64::MAX);
    assert!(counts.iter().any(|(_, text)| text.contains(&claimed)));
    assert_eq!(of_well(&site.out("counts")), of_well(&site.out("honest")));
}

#[test]
fn a_clock_that_is_off_is_told_and_taken_off_where_the_job_says_so() {
    let site = site("clock");
    let trusted = job(&site, "[run]\nretries = 0");
    let measured = std::fs::read_to_string(&trusted).unwrap();
    let measured = measured.replace("[logs.app]", "clock = \"measured\"\n[logs.app]");
    let measured = site.folder.write("measured.toml", measured);
    against(&site, Wrong::Torn, 0, || {
        site.logstitch(&trusted, "honest").ends_with(0);
    });
    against(&site, Wrong::Clock, u32::MAX, || {
        let ended = site.logstitch(&trusted, "trusted").ends_with(0);
        let said = "hostile: its clock is off by 3600.0 s";
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        let ended = site.logstitch(&measured, "measured").ends_with(0);
        assert!(!ended.stderr.contains(said), "{}", ended.stderr);
    });
    assert_eq!(rows(&site.out("honest")), rows(&site.out("trusted")));
    assert_eq!(of_well(&site.out("honest")), of_well(&site.out("measured")));
    for out in ["trusted", "measured"] {
        let clock = &summary(&site.out(out))["hosts"][0]["clock"];
        let figure = |name: &str| clock[name].as_f64().unwrap();
        let off = (figure("offset_ms") - AHEAD_NS as f64 / 1e6).abs();
        assert!(off <= figure("error_ms") + 1.0, "{clock}");
    }
    let rows = rows(&site.out("measured"));
    let (_, all) = &rows[rows.len() - 1];
    let own = all.lines().filter(|line| line.contains("\"hostile\""));
    // 14:00 by its clock was an hour earlier, give or take what the measure may be off.
    let is_earlier = |line: &str| line.contains("T13:0") || line.contains("T12:59");
    assert!(own.clone().count() > 0 && own.clone().all(is_earlier));
}

#[test]
fn an_honest_second_attempt_loses_nothing() {
    let site = site("honest");
    let job = job(&site, "[run]\nretries = 3");
    against(&site, Wrong::Torn, 0, || {
        site.logstitch(&job, "honest").ends_with(0);
    });
    // A part that comes twice counts once, with no other attempt.
    against(&site, Wrong::Replayed, u32::MAX, || {
        site.logstitch(&job, "replayed").ends_with(0);
    });
    assert_eq!(rows(&site.out("honest")), rows(&site.out("replayed")));
    for wrong in [
        Wrong::Torn,
        Wrong::Length,
        Wrong::Checksum,
        Wrong::OutOfOrder,
        Wrong::OtherHost,
        Wrong::EarlyDone,
    ] {
        let out = format!("{wrong:?}");
        against(&site, wrong, 1, || {
            site.logstitch(&job, &out).ends_with(0);
        });
        assert_eq!(
            rows(&site.out("honest")),
            rows(&site.out(&out)),
            "{wrong:?}"
        );
        assert_eq!(
            summary(&site.out(&out))["hosts"][0]["attempts"],
            2,
            "{wrong:?}"
        );
    }
}
