//! One connection after the other to the last of a chain, each hop's key checked by its own name.
//!
//! A host that is dialled directly is async-ssh2-tokio's to connect: one key known, one key to log in with. Where that
//! does not do (a second key, another agent, a stream through a jump host or a command) the russh below it is spoken to,
//! which also tells what key was shown when it is refused.

use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_ssh2_tokio::{Client, ServerCheckMethod};
use log::debug;
use reducer::report::Phase;
use russh::client::{Config, Handle, Handler, Msg};
use russh::keys::PublicKey;
use russh::{Channel, Preferred, cipher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::auth::{Offers, Refused};
use super::config::{self, Hop};
use super::known_hosts::{self, KnownHost};
use crate::transport::AttemptError;

const CONNECTING: Duration = Duration::from_secs(15);
const LOGGING_IN: Duration = Duration::from_secs(30);

/// A host that answers none of four of these is gone.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Messages of a channel that wait to be taken; the window bounds their bytes.
const WAITING_MESSAGES: usize = 16;

/// Bytes on their way through a jump host, in either direction.
const CARRIED_BYTES: usize = 1 << 20;

/// Bytes that a host may send before we have taken them.
const WINDOW_BYTES: u32 = 1 << 20;

/// A connection that is logged in. Dropping it, with its channels, closes it.
pub struct Connection {
    last: Last,
    _carriers: Carriers,
}

/// What carries a connection that is not dialled directly.
#[derive(Default)]
struct Carriers {
    jumps: Vec<Handle<KeyCheck>>,
    pumps: JoinSet<()>,
    proxy: Option<Child>,
}

enum Last {
    Client(Client),
    Handle(Handle<KeyCheck>),
}

impl Connection {
    /// A channel for the one command that this connection is for.
    pub async fn channel(&self) -> Result<Channel<Msg>, AttemptError> {
        let opening = async {
            match &self.last {
                Last::Client(client) => client
                    .get_channel()
                    .await
                    .map_err(|error| error.to_string()),
                Last::Handle(handle) => {
                    let opened = handle.channel_open_session().await;
                    opened.map_err(|error| error.to_string())
                }
            }
        };
        match timeout(LOGGING_IN, opening).await {
            Ok(opened) => opened.map_err(|error| {
                AttemptError::passing(Phase::Connect, format!("no channel: {error}"))
            }),
            Err(_) => Err(AttemptError::passing(
                Phase::Timeout,
                "no channel was opened in time",
            )),
        }
    }
}

/// Connects hop by hop, to the last one.
pub async fn connect(hops: &[Hop]) -> Result<Connection, AttemptError> {
    let (last, jumps) = hops.split_last().expect("a chain ends at its host");
    let mut carriers = Carriers::default();
    for hop in jumps {
        let dialled = dial(hop, &mut carriers).await;
        let handle = dialled.map_err(|error| AttemptError {
            message: format!("jump host {}: {}", hop.target, error.message),
            ..error
        })?;
        carriers.jumps.push(handle);
    }
    if jumps.is_empty()
        && last.proxy_command.is_none()
        && let Some(client) = plainly(last).await?
    {
        return Ok(Connection {
            last: Last::Client(client),
            _carriers: carriers,
        });
    }
    let handle = dial(last, &mut carriers).await?;
    Ok(Connection {
        last: Last::Handle(handle),
        _carriers: carriers,
    })
}

/// The plain case, by the library alone. None where it is not so plain.
async fn plainly(hop: &Hop) -> Result<Option<Client>, AttemptError> {
    let known = known(hop)?;
    let Some(key) = known
        .accepted()
        .first()
        .and_then(|key| known_hosts::base64(key))
    else {
        return Ok(None);
    };
    let offers = gather(hop).await?;
    let Some(method) = offers.first_method() else {
        return Ok(None);
    };
    let addresses = resolve(hop).await?;
    let check = ServerCheckMethod::with_public_key(&key);
    let connecting = Client::connect_with_config(
        &addresses[..],
        &hop.user,
        method,
        check,
        config(hop, &known),
    );
    match timeout(CONNECTING + LOGGING_IN, connecting).await {
        Ok(Ok(client)) => Ok(Some(client)),
        Ok(Err(async_ssh2_tokio::Error::SshError(russh::Error::IO(error)))) => {
            Err(not_connected(hop, &error))
        }
        Ok(Err(error)) => {
            debug!("{}: {error}; trying all that is known", hop.target);
            Ok(None)
        }
        Err(_) => Err(slow(hop)),
    }
}

/// Connects and logs in to one hop, by whatever leads there: the jump host before it, a command, or the network.
async fn dial(hop: &Hop, carriers: &mut Carriers) -> Result<Handle<KeyCheck>, AttemptError> {
    let known = known(hop)?;
    if let Some(before) = carriers.jumps.last() {
        // By name: the jump host may know names that this machine does not.
        let name = hop.host_name.clone();
        let opening = before.channel_open_direct_tcpip(name, u32::from(hop.port), "127.0.0.1", 0);
        let channel = match timeout(CONNECTING, opening).await {
            Ok(opened) => opened.map_err(|error| {
                let (name, port) = (&hop.host_name, hop.port);
                let text =
                    format!("cannot connect to {name}:{port} through the jump host: {error}");
                AttemptError::passing(Phase::Connect, text)
            })?,
            Err(_) => return Err(slow(hop)),
        };
        // Both directions move by themselves: a session that waits to write reads nothing, and while nobody reads a
        // channel, the connection under it stands still.
        let (near, mut far) = tokio::io::duplex(CARRIED_BYTES);
        carriers.pumps.spawn(async move {
            let mut stream = channel.into_stream();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut far).await;
        });
        return log_in(hop, known, near).await;
    }
    if let Some(command) = &hop.proxy_command {
        let (child, stream) = run_proxy(hop, command)?;
        carriers.proxy = Some(child);
        return log_in(hop, known, stream).await;
    }
    let addresses = resolve(hop).await?;
    let stream = match timeout(CONNECTING, TcpStream::connect(&addresses[..])).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(not_connected(hop, &error)),
        Err(_) => return Err(slow(hop)),
    };
    // Small messages go back and forth before the large ones come.
    let _ = stream.set_nodelay(true);
    log_in(hop, known, stream).await
}

/// Speaks SSH over a stream, checks the host's key, and logs in.
async fn log_in(
    hop: &Hop,
    known: KnownHost,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Handle<KeyCheck>, AttemptError> {
    let refusal = Arc::new(Mutex::new(None));
    let config = Arc::new(config(hop, &known));
    let check = KeyCheck {
        known,
        refusal: refusal.clone(),
    };
    let shaking_hands = async {
        let mut handle = russh::client::connect_stream(config, stream, check)
            .await
            .map_err(|error| {
                let refusal = refusal.lock().ok().and_then(|mut refusal| refusal.take());
                match (error, refusal) {
                    (_, Some(refusal)) => AttemptError::lasting(Phase::HostKey, refusal),
                    (russh::Error::IO(error), None) => not_connected(hop, &error),
                    (russh::Error::NoCommonAlgo { kind, ours, theirs }, None) => {
                        AttemptError::lasting(
                            Phase::Connect,
                            format!(
                                "no common {kind:?} algorithm: it has {}, we have {}",
                                theirs.join(","),
                                ours.join(",")
                            ),
                        )
                    }
                    (error, None) => {
                        AttemptError::passing(Phase::Connect, format!("no SSH session: {error}"))
                    }
                }
            })?;
        let offers = gather(hop).await?;
        match offers.authenticate(&mut handle, &hop.user).await {
            Ok(()) => Ok(handle),
            Err(Refused::Denied(text)) => Err(AttemptError::lasting(Phase::Auth, text)),
            Err(Refused::Lost(text)) => Err(AttemptError::passing(
                Phase::Connect,
                format!("connection lost while logging in: {text}"),
            )),
        }
    };
    match timeout(LOGGING_IN, shaking_hands).await {
        Ok(result) => result,
        Err(_) => Err(AttemptError::passing(
            Phase::Timeout,
            format!(
                "{} did not finish the login within {} s",
                hop.target,
                LOGGING_IN.as_secs()
            ),
        )),
    }
}

/// Accepts the keys that known_hosts has, and remembers why it did not.
pub struct KeyCheck {
    known: KnownHost,
    refusal: Arc<Mutex<Option<String>>>,
}

impl Handler for KeyCheck {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKey) -> Result<bool, russh::Error> {
        match self.known.check(shown) {
            Ok(()) => Ok(true),
            Err(refusal) => {
                *self.refusal.lock().expect("no holder panics") = Some(refusal);
                Ok(false)
            }
        }
    }
}

fn known(hop: &Hop) -> Result<KnownHost, AttemptError> {
    let (name, port) = hop.key_name();
    let mut known = KnownHost::read(&hop.known_hosts, name, port);
    if let Some(path) = &hop.revoked_host_keys {
        let revoked = known.revoke(path);
        revoked.map_err(|error| AttemptError::lasting(Phase::HostKey, error))?;
    }
    Ok(known)
}

async fn gather(hop: &Hop) -> Result<Offers, AttemptError> {
    let gathered = Offers::gather(hop).await;
    gathered.map_err(|error| AttemptError::lasting(Phase::Auth, error))
}

/// AES-GCM first, and of the key algorithms the known ones.
fn config(hop: &Hop, known: &KnownHost) -> Config {
    let all = [
        cipher::AES_128_GCM,
        cipher::AES_256_GCM,
        cipher::CHACHA20_POLY1305,
        cipher::AES_256_CTR,
        cipher::AES_192_CTR,
        cipher::AES_128_CTR,
    ];
    let mut ciphers = all.to_vec();
    ciphers.retain(|name| {
        hop.ciphers.is_empty() || hop.ciphers.iter().any(|cipher| cipher == name.as_ref())
    });
    if ciphers.is_empty() {
        // Ciphers that only OpenSSH has: the handshake says what is missing.
        ciphers = all.to_vec();
    }
    Config {
        preferred: Preferred {
            cipher: ciphers.into(),
            key: known.algorithms().into(),
            ..Preferred::default()
        },
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: 3,
        nodelay: true,
        channel_buffer_size: WAITING_MESSAGES,
        window_size: WINDOW_BYTES,
        ..Config::default()
    }
}

async fn resolve(hop: &Hop) -> Result<Vec<SocketAddr>, AttemptError> {
    let name = (hop.host_name.as_str(), hop.port);
    match timeout(CONNECTING, tokio::net::lookup_host(name)).await {
        Ok(Ok(addresses)) => {
            let addresses: Vec<SocketAddr> = addresses.take(16).collect();
            if addresses.is_empty() {
                let text = format!("`{}` has no address", hop.host_name);
                return Err(AttemptError::lasting(Phase::Resolve, text));
            }
            Ok(addresses)
        }
        Ok(Err(error)) => {
            let text = format!("cannot resolve `{}`: {error}", hop.host_name);
            // The one code of the resolver that means "later", which the library gives as text alone.
            if text.contains("emporary") {
                Err(AttemptError::passing(Phase::Resolve, text))
            } else {
                Err(AttemptError::lasting(Phase::Resolve, text))
            }
        }
        Err(_) => Err(AttemptError::passing(
            Phase::Resolve,
            format!("resolving `{}` takes too long", hop.host_name),
        )),
    }
}

/// A user's ProxyCommand, by a shell as OpenSSH does it; names that a shell would read as more are refused.
fn run_proxy(
    hop: &Hop,
    command: &str,
) -> Result<(Child, impl AsyncRead + AsyncWrite + Unpin + Send + 'static), AttemptError> {
    for part in [&hop.host_name, &hop.user, &hop.target] {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || b".-_:@+%".contains(&byte) || byte >= 0x80;
        if !part.bytes().all(is_plain) || part.starts_with('-') {
            let text = format!("`{part}` cannot be given to a ProxyCommand");
            return Err(AttemptError::lasting(Phase::Connect, text));
        }
    }
    let home = std::env::var_os("HOME").unwrap_or_default();
    let command = config::expand(command, hop, home.as_ref());
    let started = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("exec {command}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let failed = |error: String| {
        AttemptError::lasting(Phase::Connect, format!("ProxyCommand `{command}`: {error}"))
    };
    let mut child = started.map_err(|error| failed(error.to_string()))?;
    match (child.stdout.take(), child.stdin.take()) {
        (Some(stdout), Some(stdin)) => Ok((child, tokio::io::join(stdout, stdin))),
        _ => Err(failed("it has no pipes".to_owned())),
    }
}

fn not_connected(hop: &Hop, error: &io::Error) -> AttemptError {
    AttemptError::passing(
        Phase::Connect,
        format!("cannot connect to {}:{}: {error}", hop.host_name, hop.port),
    )
}

fn slow(hop: &Hop) -> AttemptError {
    AttemptError::passing(
        Phase::Timeout,
        format!(
            "{}:{} does not answer within {} s",
            hop.host_name,
            hop.port,
            CONNECTING.as_secs()
        ),
    )
}
