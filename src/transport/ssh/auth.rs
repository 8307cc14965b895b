//! Keys and certificates, offered in OpenSSH's order and never a prompt: what the agent holds of the named files, what
//! else it holds, then the files themselves.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_ssh2_tokio::AuthMethod;
use log::debug;
use russh::client::{AuthResult, Handle, Handler};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, HashAlg, PrivateKeyWithHashAlg, PublicKey};
use tokio::net::UnixStream;

use super::config::Hop;

/// Offers of one connection; sshd's default MaxAuthTries is 6.
const MOST_OFFERS: usize = 6;

/// Bytes of a passphrase file.
const PASSPHRASE_BYTES: u64 = 4096;

/// One thing to offer.
#[derive(Clone)]
enum Offer {
    /// The agent signs.
    Agent(Box<AgentIdentity>, Option<PathBuf>),
    File(PathBuf),
    Certificate(PathBuf, Box<Certificate>),
}

/// What there is to offer to a host, and why the rest is not offered.
pub struct Offers {
    offers: Vec<Offer>,
    agent: Option<AgentClient<UnixStream>>,
    is_users_agent: bool,
    notes: Vec<String>,
    passphrase: Option<String>,
}

/// Why no offer was taken.
pub enum Refused {
    /// The server said no.
    Denied(String),
    /// The connection went away.
    Lost(String),
}

impl Offers {
    /// Looks at the agent and at the files of the hop.
    pub async fn gather(hop: &Hop) -> Result<Offers, String> {
        let mut notes = Vec::new();
        let mut agent = None;
        let mut identities = Vec::new();
        if let Some(socket) = &hop.agent {
            match ask_agent(socket).await {
                Ok((client, found)) => {
                    agent = Some(client);
                    identities = found;
                }
                Err(error) => notes.push(format!("agent {}: {error}", socket.display())),
            }
        }
        let mut offers = Vec::new();
        // Of the named files, what the agent holds.
        for path in &hop.identity_files {
            let Ok(public) = russh::keys::load_public_key(beside(path, ".pub")) else {
                continue;
            };
            let held = identities
                .iter()
                .position(|identity| identity.public_key().key_data() == public.key_data());
            if let Some(at) = held {
                offers.push(Offer::Agent(
                    Box::new(identities.remove(at)),
                    Some(path.clone()),
                ));
            }
        }
        if !hop.identities_only {
            let rest = identities.into_iter();
            offers.extend(rest.map(|identity| Offer::Agent(Box::new(identity), None)));
        }
        let from_agent: Vec<PathBuf> = offers
            .iter()
            .filter_map(|offer| match offer {
                Offer::Agent(_, path) => path.clone(),
                _ => None,
            })
            .collect();
        for path in &hop.identity_files {
            if !path.is_file() || from_agent.contains(path) {
                continue;
            }
            let beside_it = beside(path, "-cert.pub");
            for certificate in std::iter::once(&beside_it).chain(&hop.certificate_files) {
                if let Ok(certificate) = russh::keys::load_openssh_certificate(certificate) {
                    offers.push(Offer::Certificate(path.clone(), Box::new(certificate)));
                }
            }
            offers.push(Offer::File(path.clone()));
        }
        if offers.len() > MOST_OFFERS {
            notes.push(format!("only the first {MOST_OFFERS} keys were offered"));
            offers.truncate(MOST_OFFERS);
        }
        let socket = std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from);
        Ok(Offers {
            offers,
            agent,
            is_users_agent: socket.is_some() && socket == hop.agent,
            notes,
            passphrase: passphrase()?,
        })
    }

    /// The first offer as the library's own method, where it has one for it.
    pub fn first_method(&self) -> Option<AuthMethod> {
        match self.offers.first()? {
            Offer::File(path) => {
                let key = load(path, self.passphrase.as_deref()).ok()?;
                let key = key.to_openssh(Default::default()).ok()?;
                Some(AuthMethod::with_key(&key, None))
            }
            Offer::Agent(identity, Some(path)) if self.is_users_agent => match &**identity {
                AgentIdentity::PublicKey { .. } => {
                    Some(AuthMethod::with_public_key_file(beside(path, ".pub")))
                }
                AgentIdentity::Certificate { .. } => None,
            },
            _ => None,
        }
    }

    /// Makes offers until one is taken.
    pub async fn authenticate<H: Handler>(
        mut self,
        handle: &mut Handle<H>,
        user: &str,
    ) -> Result<(), Refused> {
        let lost = |error: russh::Error| Refused::Lost(error.to_string());
        let mut offered = Vec::new();
        // RSA alone needs to know, and asking may take a second.
        let mut rsa_hash: Option<Option<HashAlg>> = None;
        for offer in std::mem::take(&mut self.offers) {
            let is_rsa = match &offer {
                Offer::Agent(identity, _) => identity.public_key().algorithm().is_rsa(),
                _ => true,
            };
            if is_rsa && rsa_hash.is_none() {
                rsa_hash = Some(
                    handle
                        .best_supported_rsa_hash()
                        .await
                        .map_err(lost)?
                        .flatten(),
                );
            }
            let (name, result) = self.offer(handle, user, offer, rsa_hash.flatten()).await?;
            let Some(result) = result else {
                continue;
            };
            match result {
                AuthResult::Success => {
                    debug!("{user}: {name} was taken");
                    return Ok(());
                }
                AuthResult::Failure {
                    partial_success: true,
                    remaining_methods,
                } => {
                    return Err(Refused::Denied(format!(
                        "{name} was taken, but the server wants another factor too ({remaining_methods:?}); \
                         `exec` with your own ssh can answer it"
                    )));
                }
                AuthResult::Failure { .. } if handle.is_closed() => {
                    return Err(Refused::Lost(format!(
                        "the server hung up when it was offered {name}"
                    )));
                }
                AuthResult::Failure { .. } => offered.push(name),
            }
        }
        let mut text = format!("permission denied for user `{user}`: ");
        if offered.is_empty() {
            text.push_str("there is no key to offer, neither by an agent nor in a file");
        } else {
            text.push_str("the server took none of ");
            text.push_str(&offered.join(", "));
        }
        for note in &self.notes {
            text.push_str("; ");
            text.push_str(note);
        }
        Err(Refused::Denied(text))
    }

    /// One offer by its name; None where it could not be made.
    async fn offer<H: Handler>(
        &mut self,
        handle: &mut Handle<H>,
        user: &str,
        offer: Offer,
        rsa_hash: Option<HashAlg>,
    ) -> Result<(String, Option<AuthResult>), Refused> {
        let lost = |error: russh::Error| Refused::Lost(error.to_string());
        match offer {
            Offer::Agent(identity, _) => {
                let key: PublicKey = identity.public_key().into_owned();
                let name = format!("the agent's {}", key.fingerprint(HashAlg::Sha256));
                let Some(agent) = &mut self.agent else {
                    return Ok((name, None));
                };
                let hash = key.algorithm().is_rsa().then_some(rsa_hash).flatten();
                let result = match *identity {
                    AgentIdentity::PublicKey { .. } => {
                        handle
                            .authenticate_publickey_with(user, key, hash, agent)
                            .await
                    }
                    AgentIdentity::Certificate { certificate, .. } => {
                        handle
                            .authenticate_certificate_with(user, certificate, hash, agent)
                            .await
                    }
                };
                match result {
                    Ok(result) => Ok((name, Some(result))),
                    // The server waits for a signature that does not come: nothing more can be offered here.
                    Err(error) => Err(Refused::Denied(format!("{name}: the agent: {error}"))),
                }
            }
            Offer::File(path) => {
                let name = path.display().to_string();
                let key = match load(&path, self.passphrase.as_deref()) {
                    Ok(key) => key,
                    Err(error) => {
                        self.notes.push(format!("{name}: {error}"));
                        return Ok((name, None));
                    }
                };
                let hash = key.algorithm().is_rsa().then_some(rsa_hash).flatten();
                let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
                let result = handle.authenticate_publickey(user, key).await;
                Ok((name, Some(result.map_err(lost)?)))
            }
            Offer::Certificate(path, certificate) => {
                let name = format!("the certificate of {}", path.display());
                let Ok(key) = load(&path, self.passphrase.as_deref()) else {
                    // The key itself is the next offer, and says why.
                    return Ok((name, None));
                };
                let result = handle
                    .authenticate_openssh_cert(user, Arc::new(key), *certificate)
                    .await;
                Ok((name, Some(result.map_err(lost)?)))
            }
        }
    }
}

async fn ask_agent(
    socket: &Path,
) -> Result<(AgentClient<UnixStream>, Vec<AgentIdentity>), russh::keys::Error> {
    let mut agent = AgentClient::connect_uds(socket).await?;
    let identities = agent.request_identities().await?;
    Ok((agent, identities))
}

fn load(path: &Path, passphrase: Option<&str>) -> Result<russh::keys::PrivateKey, String> {
    match russh::keys::load_secret_key(path, None) {
        Ok(key) if !key.is_encrypted() => Ok(key),
        Err(russh::keys::Error::IO(error)) => Err(error.to_string()),
        plain => match passphrase {
            Some(passphrase) => russh::keys::load_secret_key(path, Some(passphrase))
                .map_err(|error| format!("{error} (with the passphrase that was given)")),
            None => Err(match plain {
                Ok(_) | Err(russh::keys::Error::KeyIsEncrypted) => {
                    "it has a passphrase: add it to an agent, or give LOGSTITCH_SSH_PASSPHRASE_FILE"
                        .to_owned()
                }
                Err(error) => error.to_string(),
            }),
        },
    }
}

fn passphrase() -> Result<Option<String>, String> {
    if let Ok(passphrase) = std::env::var("LOGSTITCH_SSH_PASSPHRASE") {
        return Ok(Some(passphrase));
    }
    let Some(path) = std::env::var_os("LOGSTITCH_SSH_PASSPHRASE_FILE") else {
        return Ok(None);
    };
    let mut text = String::new();
    let read = std::fs::File::open(&path).and_then(|file| {
        io::Read::read_to_string(&mut io::Read::take(file, PASSPHRASE_BYTES), &mut text)
    });
    match read {
        Ok(_) => Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned())),
        Err(error) => Err(format!(
            "LOGSTITCH_SSH_PASSPHRASE_FILE {}: {error}",
            Path::new(&path).display()
        )),
    }
}

/// The path with more at its end.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}
