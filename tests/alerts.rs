//! Alerts, from a condition to a server that takes the message: what each way sends, retries, the outbox, silence and the
//! end, incomplete logs, and secrets that are nowhere to be found.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::harness::{Folder, Run, logstitch};
use crate::python;
use crate::server::Server;

/// A secret in every place where one may be.
const CANARY: &str = "canary-4f1c0de7";

fn job(folder: &Folder, rest: &str) {
    let head = r#"
[job]
name = "nightly"
[hosts.node]
local = ["a"]
[logs.app]
hosts = ["node"]
paths = ["logs/{host}.jsonl"]
format = "json"
[select.errors]
where = "level >= ERROR"
[run]
retries = 0
"#;
    folder.write("job.toml", format!("{head}{rest}"));
    errors(folder, 3);
}

/// So many errors in the log.
fn errors(folder: &Folder, count: usize) {
    folder.write(
        "logs/a.jsonl",
        "{\"level\":\"error\",\"message\":\"<!channel> & \\\"x\\\"\"}\n".repeat(count),
    );
}

fn run(folder: &Folder) -> Run {
    logstitch(["run", "job.toml", "--out", "out"])
        .folder(folder.path())
        .env("LOGSTITCH_ALERT_PAUSE_MS", "1")
        .env("NO_PROXY", "127.0.0.1,localhost")
}

fn alerts(folder: &Folder) -> Value {
    let summary: Value = serde_json::from_str(&folder.read("out/summary.json")).unwrap();
    summary["alerts"].clone()
}

const MANY: &str = "[[alert]]\nname = \"too many\"\nwhen = \"rows(errors) > 2\"\nsend = \"ops\"\n";

#[test]
fn a_webhook_gets_json_until_it_is_over() {
    let server = Server::start();
    let folder = Folder::new("alert-webhook");
    job(
        &folder,
        &format!(
            "{MANY}repeat = \"1h\"\n[notify.ops]\nwebhook = \"{}\"\n",
            server.url("/in?x=1")
        ),
    );
    let ended = run(&folder).ends_with(0);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains(", 1 of 1 alerts firing; "),
        "{}",
        ended.stderr
    );
    let sent = server.take();
    assert_eq!(sent.len(), 1);
    let message = sent[0].json();
    assert_eq!(sent[0].path, "/in?x=1");
    assert_eq!(sent[0].header("content-type"), Some("application/json"));
    assert_eq!(sent[0].header("idempotency-key"), message["id"].as_str());
    for (key, value) in [
        ("job", "nightly"),
        ("alert", "too many"),
        ("when", "rows(errors) > 2"),
        ("state", "firing"),
        ("title", "nightly: too many is firing"),
        ("why", "rows(errors) is 3"),
    ] {
        assert_eq!(message[key], value, "{message}");
    }
    assert_eq!(message["figures"]["rows(errors)"], 3);
    assert_eq!(
        (&message["complete"], &message["certain"]),
        (&true.into(), &true.into())
    );
    assert!(Path::new(message["outputs"].as_str().unwrap()).is_dir());
    assert_eq!(alerts(&folder)[0]["delivery"], "delivered");
    // It stands, and is not told again before its time; then it is over, once.
    errors(&folder, 9);
    run(&folder).ends_with(0);
    assert_eq!(alerts(&folder)[0]["delivery"], "silent");
    errors(&folder, 1);
    run(&folder).ends_with(0);
    run(&folder).ends_with(0);
    assert_eq!(alerts(&folder)[0]["delivery"], "nothing to tell");
    let sent = server.take();
    assert_eq!(sent.len(), 1);
    let end = sent[0].json();
    assert_eq!(end["state"], "resolved");
    assert_eq!(
        (&end["incident"], &end["since"]),
        (&message["incident"], &message["since"])
    );
    assert_ne!(end["id"], message["id"]);
}

#[test]
fn each_service_gets_what_it_takes() {
    let server = Server::start();
    let folder = Folder::new("alert-services");
    let mut text = String::new();
    for name in ["slack", "pager", "manager", "cmd"] {
        text.push_str(
            &MANY
                .replace("ops", name)
                .replace("too many", &format!("too many <{name}>")),
        );
    }
    text.push_str(&format!(
        "[notify.slack]\nslack = \"$SLACK\"\n[notify.pager]\npagerduty = \"$PAGER\"\nendpoint = \"{}\"\n\
         [notify.manager]\nalertmanager = \"{}\"\n[notify.cmd]\ncommand = [\"tee\", \"told.json\"]\n",
        server.url("/v2/enqueue"),
        server.url("/am/"),
    ));
    job(&folder, &text);
    let run = || {
        run(&folder)
            .env("SLACK", server.url("/slack/T0/B0"))
            .env("PAGER", "routing-key")
    };
    run().ends_with(0);
    let sent = server.take();
    let to = |path: &str| {
        sent.iter()
            .find(|request| request.path == path)
            .unwrap()
            .json()
    };
    let slack = to("/slack/T0/B0")["text"].as_str().unwrap().to_owned();
    assert!(
        slack.contains("nightly: too many &lt;slack&gt; is firing\n"),
        "{slack}"
    );
    let pager = to("/v2/enqueue");
    assert_eq!(pager["routing_key"], "routing-key");
    assert_eq!(pager["event_action"], "trigger");
    assert_eq!(
        pager["payload"]["summary"],
        "nightly: too many <pager> is firing"
    );
    assert_eq!(pager["payload"]["severity"], "error");
    let manager = to("/am/api/v2/alerts");
    assert_eq!(manager[0]["labels"]["alertname"], "too many <manager>");
    assert!(
        manager[0]["endsAt"].as_str() > manager[0]["startsAt"].as_str(),
        "{manager}"
    );
    let told: Value = serde_json::from_str(&folder.read("told.json")).unwrap();
    assert_eq!(told["alert"], "too many <cmd>");
    errors(&folder, 0);
    run().ends_with(0);
    let sent = server.take();
    let to = |path: &str| {
        sent.iter()
            .find(|request| request.path == path)
            .unwrap()
            .json()
    };
    assert_eq!(to("/v2/enqueue")["event_action"], "resolve");
    assert_eq!(to("/v2/enqueue")["dedup_key"], pager["dedup_key"]);
    let end = to("/am/api/v2/alerts");
    assert_eq!(end[0]["labels"], manager[0]["labels"]);
    assert_eq!(end[0]["startsAt"], manager[0]["startsAt"]);
    assert!(end[0]["endsAt"].as_str() < manager[0]["endsAt"].as_str());
}

#[test]
fn what_fails_is_tried_again_and_what_is_left_is_told_by_the_next_run() {
    let server = Server::start();
    let folder = Folder::new("alert-retry");
    job(
        &folder,
        &format!("{MANY}[notify.ops]\nwebhook = \"{}\"\n", server.url("/")),
    );
    server.answer(&["503 Busy", "429 Slow down"]);
    run(&folder).ends_with(0);
    let sent = server.take();
    assert_eq!(sent.len(), 3);
    let keys: Vec<_> = sent
        .iter()
        .map(|request| request.header("idempotency-key"))
        .collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    // A redirect is not followed, and not tried again in this run.
    let elsewhere = server.url("/elsewhere");
    server.answer(&[&format!("307 Elsewhere\r\nLocation: {elsewhere}")]);
    let ended = run(&folder).ends_with(1);
    assert!(
        ended.stderr.contains("307: redirects are not followed"),
        "{}",
        ended.stderr
    );
    assert!(
        ended
            .stderr
            .contains("messages of alerts that were not delivered: 1"),
        "{}",
        ended.stderr
    );
    assert_eq!(alerts(&folder)[0]["delivery"], "undelivered");
    assert!(
        folder.path().join("out/errors.jsonl").exists(),
        "the outputs are there all the same"
    );
    let lost = server.take();
    assert_eq!(lost.len(), 1);
    // It is over before it got through: both are told, in order.
    errors(&folder, 0);
    run(&folder).ends_with(0);
    let sent = server.take();
    let states: Vec<_> = sent
        .iter()
        .map(|request| request.json()["state"].clone())
        .collect();
    assert_eq!(states, ["firing", "resolved"]);
    assert_eq!(sent[0].json()["id"], lost[0].json()["id"]);
    run(&folder).ends_with(0);
    assert!(server.take().is_empty());
}

#[test]
fn a_run_that_is_killed_while_it_tells_tells_the_same_again() {
    let server = Server::start();
    let folder = Folder::new("alert-crash");
    job(
        &folder,
        &format!(
            "{MANY}repeat = \"1h\"\n[notify.ops]\nwebhook = \"{}\"\n",
            server.url("/")
        ),
    );
    server.be_silent(true);
    let mut child = run(&folder).start();
    while server.requests().is_empty() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it told"
        );
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let first = server.take();
    let outbox = folder.path().join(".nightly.alerts.json");
    let mode = std::fs::metadata(&outbox).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.be_silent(false);
    // Also where the alert is silent by now.
    run(&folder).ends_with(0);
    let again = server.take();
    assert_eq!(again.len(), 1);
    assert_eq!(
        again[0].header("idempotency-key"),
        first[0].header("idempotency-key")
    );
    assert_eq!(again[0].body, first[0].body);
    run(&folder).ends_with(0);
    assert!(server.take().is_empty());
    folder.write(".nightly.alerts.json", "[");
    let ended = run(&folder).ends_with(1);
    assert!(
        ended.stderr.contains("move it away to begin anew"),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_nobody_gets_any_more_is_given_up_and_some_hosts_are_not_all() {
    let server = Server::start();
    let folder = Folder::new("alert-other");
    let notify = format!("[notify.ops]\nwebhook = \"{}\"\n", server.url("/"));
    job(&folder, &format!("{MANY}{notify}"));
    server.answer(&["404 No"]);
    run(&folder).ends_with(1);
    // Of this host alone it would be over.
    errors(&folder, 0);
    let ended = run(&folder).args(["--host", "a"]).ends_with(0);
    assert!(
        ended
            .stderr
            .contains("of some hosts alone no alert is told"),
        "{}",
        ended.stderr
    );
    assert_eq!(alerts(&folder)[0]["delivery"], "not told");
    errors(&folder, 3);
    job(&folder, "");
    let ended = run(&folder).ends_with(0);
    assert!(
        ended.stderr.contains("an alert was never delivered and is given up: nightly: too many is firing by [notify.ops]"),
        "{}",
        ended.stderr
    );
    assert_eq!(server.take().len(), 1);
    assert_eq!(run(&folder).ends_with(0).stderr.lines().count(), 1);
}

#[test]
fn a_signal_stops_what_is_being_told() {
    let server = Server::start();
    let folder = Folder::new("alert-signal");
    job(
        &folder,
        &format!("{MANY}[notify.ops]\nwebhook = \"{}\"\n", server.url("/")),
    );
    server.be_silent(true);
    let child = run(&folder).start();
    while server.requests().is_empty() {
        std::thread::yield_now();
    }
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(143));
    assert!(folder.read(".nightly.alerts.json").contains("too many"));
}

#[test]
fn an_alert_says_what_a_lost_host_could_have_changed() {
    let server = Server::start();
    let folder = Folder::new("alert-lost");
    let hosts = "[hosts.gone]\nexec = [\"c\"]\ncommand = [\"false\", \"{bootstrap}\"]\n";
    let quiet = MANY
        .replace("too many", "far too many")
        .replace("> 2", "> 100");
    job(
        &folder,
        &format!(
            "{hosts}{MANY}{quiet}[notify.ops]\nwebhook = \"{}\"\n",
            server.url("/")
        ),
    );
    let text = folder
        .read("job.toml")
        .replace("hosts = [\"node\"]", "hosts = [\"node\", \"gone\"]");
    folder.write("job.toml", text);
    let ended = run(&folder).ends_with(4);
    assert!(
        ended
            .stderr
            .contains("1 of 2 alerts firing, 1 cannot be told"),
        "{}",
        ended.stderr
    );
    let sent = server.take();
    let states: Vec<_> = sent
        .iter()
        .map(|request| request.json()["state"].clone())
        .collect();
    assert_eq!(states, ["firing", "unknown"]);
    let (firing, unknown) = (sent[0].json(), sent[1].json());
    // Three errors are more than two, whatever the lost host has.
    assert_eq!(
        (&firing["certain"], &firing["complete"]),
        (&true.into(), &false.into())
    );
    assert_eq!(firing["missing"][0], "c");
    assert_eq!(unknown["certain"], false);
    assert_eq!(unknown["title"], "nightly: far too many cannot be told");
    assert_eq!(
        unknown["why"],
        "rows(errors) is 3; what was lost could have changed it"
    );
}

/// A real SMTP server, which prints its port and then every mail as a line of JSON.
const SMTP: &str = r#"
import asyncio, json, ssl, sys
from email import message_from_bytes, policy
from aiosmtpd.smtp import SMTP, AuthResult
class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=policy.default)
        print(json.dumps({
            'from': envelope.mail_from, 'to': envelope.rcpt_tos, 'subject': mail['subject'],
            'id': mail['message-id'], 'body': mail.get_content(), 'tls': session.ssl is not None,
            'login': session.auth_data,
        }), flush=True)
        return '250 OK'
options = {}
if len(sys.argv) > 1:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    def login(server, session, envelope, mechanism, data):
        known = (data.login.decode(), data.password.decode()) == ('logs', sys.argv[3])
        return AuthResult(success=known, handled=False, auth_data=data.login.decode())
    options = dict(tls_context=context, require_starttls=True, authenticator=login, auth_required=True)
async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler(), loop=loop, **options), '127.0.0.1', 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
asyncio.run(main())
"#;

struct Smtp {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    port: String,
}

impl Smtp {
    fn start(arguments: &[&str]) -> Smtp {
        let mut child = Command::new(python::python(&["aiosmtpd"]))
            .args(["-c", SMTP])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It is loud about clients that do not trust it.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        lines.read_line(&mut port).unwrap();
        Smtp {
            child,
            lines,
            port: port.trim().to_owned(),
        }
    }

    fn mail(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        // Its stdin is closed, so it ends.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[test]
fn a_mail_reaches_a_real_server() {
    let mut server = Smtp::start(&[]);
    let folder = Folder::new("alert-mail");
    let smtp = format!(
        "[notify.ops.smtp]\nserver = \"127.0.0.1:{}\"\nfrom = \"logs@example.net\"\nto = [\"a@example.net\", \"b@example.net\"]\n",
        server.port
    );
    job(
        &folder,
        &format!("{}{smtp}", MANY.replace("too many", "zu viele — 多すぎる")),
    );
    run(&folder).ends_with(0);
    let mail = server.mail();
    assert_eq!(mail["from"], "logs@example.net");
    assert_eq!(
        mail["to"],
        serde_json::json!(["a@example.net", "b@example.net"])
    );
    assert_eq!(mail["subject"], "nightly: zu viele — 多すぎる is firing");
    assert!(
        mail["id"].as_str().unwrap().ends_with("@logstitch>"),
        "{mail}"
    );
    assert!(
        mail["body"].as_str().unwrap().contains("rows(errors) is 3"),
        "{mail}"
    );
}

#[test]
fn a_password_goes_over_tls_alone() {
    let folder = Folder::new("alert-tls");
    let (key, certificate) = (
        folder.path().join("key.pem"),
        folder.path().join("cert.pem"),
    );
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let paths = [certificate.to_str().unwrap(), key.to_str().unwrap()];
    let mut server = Smtp::start(&[paths[0], paths[1], CANARY]);
    let smtp = format!(
        "[notify.ops.smtp]\nserver = \"localhost:{}\"\nfrom = \"logs@example.net\"\nto = [\"a@example.net\"]\n\
         user = \"logs\"\npassword = \"file:password\"\ntls = \"starttls\"\n",
        server.port
    );
    job(&folder, &format!("{MANY}{smtp}"));
    let password = folder.write("password", format!("{CANARY}\n"));
    // A secret that others may read is none: nothing is begun.
    std::fs::set_permissions(&password, PermissionsExt::from_mode(0o644)).unwrap();
    let ended = run(&folder).ends_with(2);
    assert!(
        ended
            .stderr
            .contains("mode 0644 lets others read this secret"),
        "{}",
        ended.stderr
    );
    assert!(!folder.path().join("out").exists());
    std::fs::set_permissions(&password, PermissionsExt::from_mode(0o600)).unwrap();
    // Nobody vouches for the certificate.
    let ended = run(&folder).ends_with(1);
    assert!(ended.stderr.contains("not delivered"), "{}", ended.stderr);
    let trusting = || {
        run(&folder)
            .env("SSL_CERT_FILE", &certificate)
            .env("RUST_LOG", "trace")
    };
    let ended = trusting().ends_with(0);
    let mail = server.mail();
    assert_eq!(
        (&mail["tls"], &mail["login"]),
        (&true.into(), &"logs".into()),
        "{mail}"
    );
    absent(&folder, &["password"], &ended.stderr);
    folder.write("password", format!("{CANARY}-wrong"));
    let ended = trusting().ends_with(1);
    assert!(
        ended.stderr.contains("the server answered 535"),
        "{}",
        ended.stderr
    );
    absent(&folder, &["password"], &ended.stderr);
}

/// The secret is in no file below the folder but these, and in no stream.
fn absent(folder: &Folder, but: &[&str], stream: &str) {
    assert!(!stream.contains(CANARY), "{stream}");
    let mut folders = vec![folder.path().to_owned()];
    let mut files = 0;
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !but.iter().any(|name| path.ends_with(name)) {
                files += 1;
                let bytes = std::fs::read(&path).unwrap();
                let found = bytes
                    .windows(CANARY.len())
                    .any(|part| part == CANARY.as_bytes());
                assert!(!found, "{} holds the secret", path.display());
            }
        }
    }
    assert!(files > 4);
}

#[test]
fn secrets_are_nowhere_to_be_found() {
    let server = Server::start();
    let folder = Folder::new("alert-secrets");
    let mut text = String::new();
    for name in ["hook", "slack", "pager", "manager", "nobody"] {
        text.push_str(&MANY.replace("ops", name).replace("too many", name));
    }
    text.push_str(&format!(
        "[notify.hook]\nwebhook = \"$HOOK\"\n[notify.slack]\nslack = \"file:slack\"\n\
         [notify.pager]\npagerduty = \"$PAGER\"\nendpoint = \"{}\"\n[notify.manager]\nalertmanager = \"$HOOK\"\n\
         [notify.nobody]\nwebhook = \"$NOBODY\"\n",
        server.url("/pager")
    ));
    job(&folder, &text);
    let url = server.url(&format!("/{CANARY}?key={CANARY}"));
    let slack = folder.write("slack", &url);
    std::fs::set_permissions(&slack, PermissionsExt::from_mode(0o600)).unwrap();
    let run = || {
        run(&folder)
            .env("HOOK", &url)
            .env("PAGER", CANARY)
            .env("NOBODY", format!("http://{CANARY}@127.0.0.1:1/{CANARY}"))
            .env(
                "RUST_LOG",
                "trace,ureq=trace,ureq::run=trace,ureq_proto=trace,rustls=trace",
            )
    };
    for answers in [
        &[][..],
        &[
            "500 No",
            "302 Go\r\nLocation: http://127.0.0.1:1/",
            "404 No",
            "500 No",
        ],
    ] {
        server.answer(answers);
        let ended = run().ends_with(1);
        assert!(
            ended.stderr.contains("by [notify.nobody] (webhook): "),
            "{}",
            ended.stderr
        );
        absent(&folder, &["slack"], &(ended.stderr + &ended.stdout));
    }
    let seen = server.take();
    assert!(
        seen.iter().any(|request| request.path.contains(CANARY)),
        "they were used: {seen:?}"
    );
    // A secret that is missing is told before anything is done.
    let ended = run().env("PAGER", "").ends_with(2);
    assert!(
        ended.stderr.contains("[notify.pager]: $PAGER is empty"),
        "{}",
        ended.stderr
    );
    absent(&folder, &["slack"], &ended.stderr);
}

#[test]
fn a_command_that_fails_is_told_with_its_last_line() {
    let folder = Folder::new("alert-command");
    let command = "[notify.ops]\ncommand = [\"sh\", \"-c\", \"cat > told; printf 'one\\\\ntwo \\\\033[31m\\\\n' >&2; exit 3\"]\n";
    job(&folder, &format!("{MANY}{command}"));
    let ended = run(&folder).ends_with(1);
    assert!(
        ended
            .stderr
            .contains("sh: exit status: 3: two \\u{1b}[31m; the next run"),
        "{}",
        ended.stderr
    );
    let command = "[notify.ops]\ncommand = [\"./nowhere\"]\n";
    job(&folder, &format!("{MANY}{command}"));
    let ended = run(&folder).ends_with(1);
    assert!(
        ended.stderr.contains("./nowhere: No such file"),
        "{}",
        ended.stderr
    );
}
