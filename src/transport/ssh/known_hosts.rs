//! known_hosts, read strictly: which keys a host may show, which are revoked, and what to tell when neither fits.
//!
//! The library's own reader accepts revoked keys and refuses wildcards and second keys, so this one reads as OpenSSH
//! does: plain and hashed names, `*` and `?`, negation, `[name]:port`, markers. It never writes.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{KeyInit, Mac};
use russh::keys::{Algorithm, HashAlg, PublicKey};

/// Bytes of one file; a larger one is cut there.
const FILE_BYTES: u64 = 64 << 20;

/// Longest line that is looked at.
const LINE_BYTES: usize = 16 << 10;

/// What the files say about one host.
#[derive(Debug, Default)]
pub struct KnownHost {
    /// As it was looked for: `name` or `[name]:port`.
    name: String,
    files: Vec<PathBuf>,
    keys: Vec<Line>,
    revoked: Vec<Line>,
    authorities: Vec<Line>,
}

/// A key and where it stands.
#[derive(Clone, Debug)]
struct Line {
    key: PublicKey,
    place: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Marker {
    None,
    Authority,
    Revoked,
}

impl KnownHost {
    /// Reads the files for a host; files that are not there know nothing.
    pub fn read(files: &[PathBuf], name: &str, port: u16) -> KnownHost {
        let texts: Vec<_> = files.iter().map(|path| (path, read(path))).collect();
        let name = name.to_ascii_lowercase();
        let find = |name: &str| {
            let mut host = KnownHost {
                name: name.to_owned(),
                files: files.to_vec(),
                ..KnownHost::default()
            };
            for (path, text) in &texts {
                host.add(path, text);
            }
            host
        };
        if port == 22 {
            return find(&name);
        }
        // As OpenSSH does: a host unknown by its port may be known without one.
        let mut host = find(&format!("[{name}]:{port}"));
        if host.keys.is_empty() {
            let portless = find(&name);
            host.keys = portless.keys;
            host.revoked.extend(portless.revoked);
            host.authorities.extend(portless.authorities);
        }
        host
    }

    fn add(&mut self, path: &Path, text: &str) {
        for (number, line) in text.lines().enumerate() {
            if line.len() > LINE_BYTES {
                continue;
            }
            let Some((marker, key)) = parse(line, &self.name) else {
                continue;
            };
            let place = format!("{}:{}", path.display(), number + 1);
            let lines = match marker {
                Marker::None => &mut self.keys,
                Marker::Authority => &mut self.authorities,
                Marker::Revoked => &mut self.revoked,
            };
            lines.push(Line { key, place });
        }
    }

    /// Takes keys of a `RevokedHostKeys` file in: one public key a line.
    pub fn revoke(&mut self, path: &Path) -> Result<(), String> {
        let text = read(path);
        if text.starts_with("SSHKRL") {
            return Err(format!(
                "RevokedHostKeys {}: a binary list, which this version cannot read; list the keys as text",
                path.display()
            ));
        }
        for (number, line) in text.lines().enumerate() {
            if let Some(key) = key_of(line.trim_start()) {
                let place = format!("{}:{}", path.display(), number + 1);
                self.revoked.push(Line { key, place });
            }
        }
        Ok(())
    }

    /// The keys that the host may show, best algorithm first.
    pub fn accepted(&self) -> Vec<&PublicKey> {
        let mut keys: Vec<&PublicKey> = self
            .keys
            .iter()
            .map(|line| &line.key)
            .filter(|key| !self.is_revoked(key))
            .collect();
        keys.sort_by_key(|key| rank(&key.algorithm()));
        keys
    }

    /// The algorithms to ask the host for: those of the keys it may show, else any.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let all = [
            Algorithm::Ed25519,
            Algorithm::Ecdsa {
                curve: russh::keys::EcdsaCurve::NistP256,
            },
            Algorithm::Ecdsa {
                curve: russh::keys::EcdsaCurve::NistP384,
            },
            Algorithm::Ecdsa {
                curve: russh::keys::EcdsaCurve::NistP521,
            },
            Algorithm::Rsa {
                hash: Some(HashAlg::Sha512),
            },
            Algorithm::Rsa {
                hash: Some(HashAlg::Sha256),
            },
        ];
        let accepted = self.accepted();
        let is_known = |algorithm: &Algorithm| {
            accepted
                .iter()
                .any(|key| rank(&key.algorithm()) == rank(algorithm))
        };
        let (known, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_known);
        // The others after them: a host that shows one has changed, and is told so.
        known.into_iter().chain(others).collect()
    }

    fn is_revoked(&self, key: &PublicKey) -> bool {
        self.revoked.iter().any(|line| same(&line.key, key))
    }

    /// Whether the host may show this key; why not, and what to do.
    pub fn check(&self, shown: &PublicKey) -> Result<(), String> {
        let fingerprint = shown.fingerprint(HashAlg::Sha256);
        let algorithm = shown.algorithm();
        let name = &self.name;
        if let Some(line) = self.revoked.iter().find(|line| same(&line.key, shown)) {
            return Err(format!(
                "{name} shows the key {algorithm} {fingerprint}, which is revoked ({}); do not connect until its \
                 administrator has replaced it",
                line.place
            ));
        }
        if self.keys.iter().any(|line| same(&line.key, shown)) {
            return Ok(());
        }
        let rank_shown = rank(&algorithm);
        let other = self
            .keys
            .iter()
            .find(|line| rank(&line.key.algorithm()) == rank_shown);
        if let Some(line) = other {
            return Err(format!(
                "the host key of {name} has changed: it shows {algorithm} {fingerprint}, {} has {}; if that is meant, \
                 remove the line (ssh-keygen -R '{name}') and add the new key once you have compared its fingerprint",
                line.place,
                line.key.fingerprint(HashAlg::Sha256),
            ));
        }
        let authority = match self.authorities.first() {
            Some(line) => format!(
                " ({} trusts a certificate authority for it; host certificates are not read by this version)",
                line.place
            ),
            None => String::new(),
        };
        let known = match self.keys.first() {
            Some(line) => format!(", only its {} key ({})", line.key.algorithm(), line.place),
            None => String::new(),
        };
        let file = self.files.first().map_or_else(
            || "~/.ssh/known_hosts".to_owned(),
            |path| path.display().to_string(),
        );
        let (host, port) = self
            .name
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]:"))
            .unwrap_or((name, "22"));
        Err(format!(
            "the host key of {name} is not known{known}{authority}: it shows {algorithm} {fingerprint}; compare that with the \
             host's own (ssh-keygen -lf on it), then: ssh-keyscan -p {port} {host} >> {file}"
        ))
    }
}

/// The base64 of a key, as `ServerCheckMethod::PublicKey` wants it.
pub fn base64(key: &PublicKey) -> Option<String> {
    let text = key.to_openssh().ok()?;
    Some(text.split_ascii_whitespace().nth(1)?.to_owned())
}

fn same(left: &PublicKey, right: &PublicKey) -> bool {
    left.key_data() == right.key_data()
}

/// One number for each kind of key, whatever it is hashed with; the smallest is asked for first.
fn rank(algorithm: &Algorithm) -> u8 {
    use russh::keys::EcdsaCurve;
    match algorithm {
        Algorithm::Ed25519 => 0,
        Algorithm::Ecdsa { curve } => match curve {
            EcdsaCurve::NistP256 => 1,
            EcdsaCurve::NistP384 => 2,
            EcdsaCurve::NistP521 => 3,
        },
        Algorithm::Rsa { .. } => 4,
        Algorithm::Dsa => 5,
        _ => 6,
    }
}

fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        // What could be read before an error is still known.
        let _ = file.take(FILE_BYTES).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A line's marker and key, where its names mean the host.
fn parse(line: &str, name: &str) -> Option<(Marker, PublicKey)> {
    let line = line.trim_start_matches([' ', '\t']);
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (marker, line) = match line.strip_prefix('@') {
        None => (Marker::None, line),
        Some(_) => {
            let (word, rest) = line.split_once([' ', '\t'])?;
            let marker = match word {
                "@cert-authority" => Marker::Authority,
                "@revoked" => Marker::Revoked,
                _ => return None,
            };
            (marker, rest.trim_start_matches([' ', '\t']))
        }
    };
    let (names, key) = line.split_once([' ', '\t'])?;
    let is_meant = match names.strip_prefix("|1|") {
        Some(hashed) => is_hash_of(hashed, name),
        None => is_named(names, name),
    };
    if !is_meant {
        return None;
    }
    Some((marker, key_of(key.trim_start_matches([' ', '\t']))?))
}

/// `type base64 comment`
fn key_of(text: &str) -> Option<PublicKey> {
    let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
    let (kind, data) = (words.next()?, words.next()?);
    let key = russh::keys::parse_public_key_base64(data).ok()?;
    let is_kind = match key.algorithm() {
        Algorithm::Rsa { .. } => kind == "ssh-rsa",
        algorithm => algorithm.as_str() == kind,
    };
    is_kind.then_some(key)
}

/// `salt|hash`, both base64: HMAC-SHA1 of the name.
fn is_hash_of(hashed: &str, name: &str) -> bool {
    let Some((salt, hash)) = hashed.split_once('|') else {
        return false;
    };
    let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else {
        return false;
    };
    let Ok(mut mac) = hmac::Hmac::<sha1::Sha1>::new_from_slice(&salt) else {
        return false;
    };
    mac.update(name.as_bytes());
    mac.verify_slice(&hash).is_ok()
}

/// A list of patterns: one that fits is enough, a negated one that fits rules the line out.
fn is_named(patterns: &str, name: &str) -> bool {
    let mut named = false;
    for pattern in patterns.split(',') {
        let (negated, pattern) = match pattern.strip_prefix('!') {
            Some(pattern) => (true, pattern),
            None => (false, pattern),
        };
        if fits(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes()) {
            if negated {
                return false;
            }
            named = true;
        }
    }
    named
}

/// `*` is any text, `?` any one byte; in time proportional to the product of both lengths.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, from));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((after, tried)) => {
                    star = Some((after, tried + 1));
                    (at, from) = (after, tried + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";
    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHwf2HMM5TRXvo2SQJjsNkiDD5KqiiNjrGVv3UUh+mMT5RHxiRtOnlqvjhQtBq0VpmpCV/PwUdhOig4vkbqAcEc=";

    fn host(text: &str, name: &str) -> KnownHost {
        let mut host = KnownHost {
            name: name.to_owned(),
            ..KnownHost::default()
        };
        host.add(Path::new("known_hosts"), text);
        host
    }

    fn key(text: &str) -> PublicKey {
        key_of(text).unwrap()
    }

    #[test]
    fn names_are_matched_as_openssh_does() {
        for (names, name, expected) in [
            ("web1", "web1", true),
            ("web1", "web12", false),
            ("a,web1,b", "web1", true),
            ("WEB1", "web1", true),
            ("web*", "web1.example.net", true),
            ("web?", "web1", true),
            ("web?", "web", false),
            ("*,!web1", "web1", false),
            ("!web1,*", "web1", false),
            ("!web1", "web2", false),
            ("[web1]:2222", "[web1]:2222", true),
            ("web1", "[web1]:2222", false),
            ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("", "web1", false),
        ] {
            assert_eq!(is_named(names, name), expected, "{names} {name}");
        }
    }

    #[test]
    fn hashed_names_are_found() {
        // ssh-keygen -H of "example.com"
        let hashed = "O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak=";
        assert!(is_hash_of(hashed, "example.com"));
        assert!(!is_hash_of(hashed, "example.org"));
        assert!(!is_hash_of("x", "example.com"));
        assert!(!is_hash_of("!|!", "example.com"));
    }

    #[test]
    fn keys_are_known_changed_revoked_or_unknown() {
        let known = host(&format!("# a comment\n\nweb1 {ED25519} me@here\n"), "web1");
        assert_eq!(known.check(&key(ED25519)), Ok(()));
        let changed = known.check(&key(OTHER)).unwrap_err();
        assert!(
            changed.contains("has changed")
                && changed.contains("known_hosts:3")
                && changed.contains("SHA256:"),
            "{changed}"
        );
        let unknown = known.check(&key(ECDSA)).unwrap_err();
        assert!(
            unknown.contains("not known, only its ssh-ed25519"),
            "{unknown}"
        );
        let stranger = host(&format!("web2 {ED25519}\n"), "web1");
        let unknown = stranger.check(&key(ED25519)).unwrap_err();
        assert!(unknown.contains("ssh-keyscan -p 22 web1"), "{unknown}");
        let revoked = host(&format!("web1 {ED25519}\n@revoked * {ED25519}\n"), "web1");
        assert!(revoked.accepted().is_empty());
        assert!(
            revoked
                .check(&key(ED25519))
                .unwrap_err()
                .contains("is revoked (known_hosts:2)")
        );
        let authority = host(&format!("@cert-authority *\t{ED25519}\n"), "web1");
        assert!(
            authority
                .check(&key(ED25519))
                .unwrap_err()
                .contains("certificate authority")
        );
    }

    #[test]
    fn several_keys_of_a_kind_are_all_known() {
        let known = host(
            &format!("web1 {ECDSA}\nweb1\t{OTHER}\nweb1 {ED25519}\n"),
            "web1",
        );
        for text in [ED25519, OTHER, ECDSA] {
            assert_eq!(known.check(&key(text)), Ok(()));
        }
        assert_eq!(known.algorithms()[0], Algorithm::Ed25519);
        let only = host(&format!("web1 {ECDSA}\n"), "web1");
        assert_eq!(rank(&only.algorithms()[0]), 1);
    }

    #[test]
    fn broken_lines_know_nothing() {
        for line in [
            "web1",
            "web1 ",
            "web1 ssh-ed25519",
            "web1 ssh-ed25519 AAAA",
            "web1 ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ",
            "@unheard web1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ",
            "@revoked",
            "|1|x web1",
        ] {
            let known = host(line, "web1");
            assert!(known.keys.is_empty() && known.revoked.is_empty(), "{line}");
        }
    }
}
