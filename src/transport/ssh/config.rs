//! What OpenSSH would do to reach a host: `ssh -G` is asked, so that Include, Match and all else mean what they mean
//! there. Without an `ssh` on this machine, its plain defaults.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use jobspec::Target;
use jobspec::job::SshSpec;
use tokio::process::Command;
use tokio::time::timeout;

/// Jump hosts of one connection.
const MOST_HOPS: usize = 16;

/// Bytes of `ssh -G`'s answer.
const ANSWER_BYTES: usize = 1 << 20;

const ASKING: Duration = Duration::from_secs(10);

/// One connection of the chain to a host, the last of which is to the host itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Hop {
    /// As the user wrote it.
    pub target: String,
    /// Where to connect to.
    pub host_name: String,
    pub port: u16,
    pub user: String,
    pub identity_files: Vec<PathBuf>,
    pub certificate_files: Vec<PathBuf>,
    pub identities_only: bool,
    /// The agent's socket, if there is one to be asked.
    pub agent: Option<PathBuf>,
    pub host_key_alias: Option<String>,
    pub known_hosts: Vec<PathBuf>,
    pub revoked_host_keys: Option<PathBuf>,
    pub ciphers: Vec<String>,
    pub proxy_command: Option<String>,
}

impl Hop {
    /// The name and port under which known_hosts has its key.
    pub fn key_name(&self) -> (&str, u16) {
        match &self.host_key_alias {
            Some(alias) => (alias, 22),
            None => (&self.host_name, self.port),
        }
    }
}

/// The chain of connections to a host, the first dialled first.
pub async fn chain(ssh: &SshSpec, folder: &Path) -> Result<Vec<Hop>, String> {
    let target = Target {
        host: ssh.target.clone(),
        user: ssh.user.clone(),
        port: ssh.port,
    };
    let mut asked = ask(&target).await?;
    if let Some(identity) = &ssh.identity {
        let path = folder.join(asked.expand(identity));
        asked.hop.identity_files.insert(0, path);
    }
    let mut waiting: Vec<String> = if ssh.via.is_empty() {
        asked.jumps.clone()
    } else {
        asked.hop.proxy_command = None;
        ssh.via.clone()
    };
    if !waiting.is_empty() {
        asked.hop.proxy_command = None;
    }
    let mut hops = vec![asked.hop];
    while let Some(jump) = waiting.pop() {
        if hops.len() > MOST_HOPS {
            return Err(format!(
                "more than {MOST_HOPS} jump hosts, or they lead in a circle"
            ));
        }
        let target =
            Target::parse(&jump).map_err(|error| format!("jump host `{jump}`: {error}"))?;
        let mut asked = ask(&target).await?;
        if waiting.is_empty() {
            // Only the first of a list goes by its own way, as with `ssh -J`.
            waiting = asked.jumps;
        } else {
            asked.hop.proxy_command = None;
        }
        hops.insert(0, asked.hop);
    }
    Ok(hops)
}

/// A hop, and the jump hosts that lead to it by the user's configuration.
struct Asked {
    hop: Hop,
    jumps: Vec<String>,
    home: PathBuf,
}

impl Asked {
    /// `~` and the tokens that `ssh -G` leaves as they were written.
    fn expand(&self, text: &str) -> String {
        expand(text, &self.hop, &self.home)
    }
}

async fn ask(target: &Target) -> Result<Asked, String> {
    // The job's reader has seen to this; a name that is read as an option would be another command.
    for part in [Some(&target.host), target.user.as_ref()]
        .into_iter()
        .flatten()
    {
        if part.starts_with('-') || part.is_empty() {
            return Err(format!("`{part}` is no name of a host or user"));
        }
    }
    let mut command = Command::new("ssh");
    command.arg("-G");
    if let Some(file) = std::env::var_os("LOGSTITCH_SSH_CONFIG") {
        command.arg("-F").arg(file);
    }
    if let Some(user) = &target.user {
        command.args(["-l", user]);
    }
    if let Some(port) = target.port {
        command.args(["-p", &port.to_string()]);
    }
    command
        .arg("--")
        .arg(&target.host)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = match timeout(ASKING, command.output()).await {
        Err(_) => return Err("`ssh -G` does not answer".to_owned()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(answer("", target));
        }
        Ok(Err(error)) => return Err(format!("`ssh -G`: {error}")),
        Ok(Ok(output)) => output,
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().chars().take(500).collect::<String>();
        return Err(format!("`ssh -G {}`: {}", target.host, said.escape_debug()));
    }
    if output.stdout.len() > ANSWER_BYTES {
        return Err("`ssh -G` says too much".to_owned());
    }
    Ok(answer(&String::from_utf8_lossy(&output.stdout), target))
}

/// Reads `key value` lines; what is not there has OpenSSH's default.
fn answer(text: &str, target: &Target) -> Asked {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/".into()));
    let mut hop = Hop {
        target: target.host.clone(),
        host_name: target.host.clone(),
        port: target.port.unwrap_or(22),
        user: target.user.clone().unwrap_or_else(|| {
            let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
            user.unwrap_or_else(|_| "root".to_owned())
        }),
        identity_files: Vec::new(),
        certificate_files: Vec::new(),
        identities_only: false,
        agent: None,
        host_key_alias: None,
        known_hosts: Vec::new(),
        revoked_host_keys: None,
        ciphers: Vec::new(),
        proxy_command: None,
    };
    let (mut identities, mut certificates) = (Vec::new(), Vec::new());
    let (mut user_files, mut global_files) = (None, None);
    let (mut agent, mut jumps, mut revoked) = ("SSH_AUTH_SOCK".to_owned(), Vec::new(), None);
    for line in text.lines() {
        let Some((key, value)) = line.split_once(' ') else {
            continue;
        };
        let value = value.trim();
        let meant = (value != "none").then(|| value.to_owned());
        match key {
            "hostname" => hop.host_name = value.to_owned(),
            "port" => hop.port = value.parse().unwrap_or(hop.port),
            "user" => hop.user = value.to_owned(),
            "identityfile" => identities.extend(meant),
            "certificatefile" => certificates.extend(meant),
            "identitiesonly" => hop.identities_only = value == "yes",
            "identityagent" => agent = value.to_owned(),
            "hostkeyalias" => hop.host_key_alias = meant,
            "userknownhostsfile" => user_files = Some(value.to_owned()),
            "globalknownhostsfile" => global_files = Some(value.to_owned()),
            "revokedhostkeys" => revoked = meant,
            "ciphers" => hop.ciphers = value.split(',').map(str::to_owned).collect(),
            "proxycommand" => hop.proxy_command = meant,
            "proxyjump" => {
                jumps = meant.map_or_else(Vec::new, |list| {
                    list.split(',').map(|jump| jump.trim().to_owned()).collect()
                });
            }
            _ => {}
        }
    }
    if text.is_empty() {
        identities = ["id_rsa", "id_ecdsa", "id_ed25519"]
            .map(|name| format!("~/.ssh/{name}"))
            .to_vec();
    }
    hop.host_name = hop.host_name.to_ascii_lowercase();
    let path = |text: &String| PathBuf::from(expand(text, &hop, &home));
    let user_files = user_files.unwrap_or_else(|| "~/.ssh/known_hosts ~/.ssh/known_hosts2".into());
    let global_files =
        global_files.unwrap_or_else(|| "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2".into());
    let known_hosts = [user_files, global_files]
        .iter()
        .flat_map(|files| words(files))
        .filter(|file| file != "none")
        .map(|file| path(&file))
        .collect();
    let identity_files = identities.iter().map(path).collect();
    let certificate_files = certificates.iter().map(path).collect();
    let revoked_host_keys = revoked.as_ref().map(path);
    let agent = match agent.as_str() {
        "none" => None,
        "SSH_AUTH_SOCK" => std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from),
        text => match text.strip_prefix('$') {
            Some(name) => std::env::var_os(name).map(PathBuf::from),
            None => Some(path(&text.to_owned())),
        },
    };
    hop.known_hosts = known_hosts;
    hop.identity_files = identity_files;
    hop.certificate_files = certificate_files;
    hop.revoked_host_keys = revoked_host_keys;
    hop.agent = agent.filter(|path| !path.as_os_str().is_empty());
    Asked { hop, jumps, home }
}

/// Words apart by spaces; quotes keep one together.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted) = (String::new(), false);
    for char in text.chars() {
        match char {
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(char),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// `~/` at the head, and `%d %h %n %p %r %u %%`.
pub(super) fn expand(text: &str, hop: &Hop, home: &Path) -> String {
    let mut out = String::new();
    let mut rest = text;
    if let Some(below) = text.strip_prefix("~/") {
        out.push_str(&home.to_string_lossy());
        out.push('/');
        rest = below;
    }
    let mut chars = rest.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            out.push(char);
            continue;
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some('d') => out.push_str(&home.to_string_lossy()),
            Some('h') => out.push_str(&hop.host_name),
            Some('n') => out.push_str(&hop.target),
            Some('p') => out.push_str(&hop.port.to_string()),
            Some('r') => out.push_str(&hop.user),
            Some('u') => {
                let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
                out.push_str(&user.unwrap_or_default());
            }
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str) -> Target {
        Target {
            host: host.to_owned(),
            user: None,
            port: None,
        }
    }

    #[test]
    fn an_answer_is_read() {
        let asked = answer(
            "host web1\nuser deploy\nhostname Web1.Example.NET\nport 2222\nidentitiesonly yes\n\
             identityfile /k/%r@%h\nidentityfile /k/two\ncertificatefile none\nidentityagent none\n\
             hostkeyalias web\nuserknownhostsfile /a/known \"/b c/known\"\nglobalknownhostsfile none\n\
             ciphers aes128-ctr,aes256-gcm@openssh.com\nproxyjump alice@bastion:2200,inner\nproxycommand none\n",
            &target("web1"),
        );
        assert_eq!(asked.hop.host_name, "web1.example.net");
        assert_eq!((asked.hop.port, asked.hop.user.as_str()), (2222, "deploy"));
        assert_eq!(
            asked.hop.identity_files,
            [
                PathBuf::from("/k/deploy@web1.example.net"),
                PathBuf::from("/k/two")
            ]
        );
        assert!(asked.hop.identities_only && asked.hop.agent.is_none());
        assert!(asked.hop.certificate_files.is_empty() && asked.hop.proxy_command.is_none());
        assert_eq!(
            asked.hop.known_hosts,
            [PathBuf::from("/a/known"), PathBuf::from("/b c/known")]
        );
        assert_eq!(asked.hop.key_name(), ("web", 22));
        assert_eq!(asked.jumps, ["alice@bastion:2200", "inner"]);
        assert_eq!(asked.hop.ciphers.len(), 2);
    }

    #[test]
    fn nothing_said_is_the_default() {
        let asked = answer("", &target("web1"));
        assert_eq!(asked.hop.key_name(), ("web1", 22));
        assert!(asked.hop.identity_files[2].ends_with(".ssh/id_ed25519"));
        assert!(asked.hop.known_hosts[0].ends_with(".ssh/known_hosts"));
        assert_eq!(asked.hop.known_hosts.len(), 4);
    }

    #[test]
    fn tokens_are_expanded_once() {
        let mut asked = answer("", &target("web1"));
        asked.hop.user = "%h".to_owned();
        let home = Path::new("/home/me");
        assert_eq!(
            expand("~/%r/%p/%%h/%x%", &asked.hop, home),
            "/home/me/%h/22/%h/%x%"
        );
        assert_eq!(expand("/a/~/b", &asked.hop, home), "/a/~/b");
    }

    #[test]
    fn a_name_like_an_option_is_refused() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        for host in ["-oProxyCommand=touch", ""] {
            let asked = runtime.block_on(ask(&target(host)));
            assert!(asked.is_err(), "{host}");
        }
    }
}
