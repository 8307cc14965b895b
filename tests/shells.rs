//! Login shells that are not a POSIX `sh`: the script becomes the mapper all the same.

use std::path::Path;

use crate::harness::rows;
use crate::ssh::slow_job;
use crate::sshd::{Around, Site};

/// An sshd that sees a passwd in which root has another shell.
fn with_shell(site: &mut Site, host: &str, shell: &str) {
    assert!(
        Path::new(shell).exists(),
        "{shell} is installed (tests/run does it)"
    );
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let lines = passwd.lines().map(|line| match line.strip_prefix("root:") {
        Some(rest) => format!("root:{}:{shell}\n", rest.rsplit_once(':').unwrap().0),
        None => format!("{line}\n"),
    });
    let passwd = site
        .folder
        .write(&format!("passwd-{host}"), lines.collect::<String>());
    let script = format!(
        "mount --bind {} /etc/passwd && exec \"$@\"",
        passwd.display()
    );
    let around = Around {
        command: ["unshare", "-m", "sh", "-c", &script, "sh"]
            .map(str::to_owned)
            .into(),
        ..Around::default()
    };
    site.add_around(host, "", around);
}

#[test]
fn csh_and_fish_are_login_shells_too() {
    let mut site = Site::new("shells", &["web"]);
    with_shell(&mut site, "csh", "/bin/tcsh");
    with_shell(&mut site, "fish", "/usr/bin/fish");
    // That they are what answers.
    assert!(site.ssh("csh", "test $?tcsh = 1"), "not tcsh");
    assert!(
        site.ssh("fish", "string length fish >/dev/null; and true"),
        "not fish"
    );
    assert!(!site.ssh("web", "string length fish >/dev/null; and true"));
    let expected = slow_job(&site, "ssh = [\"web\"]", 100, "");
    site.logstitch(&expected, "web").ends_with(0);
    for shell in ["csh", "fish"] {
        let job = slow_job(&site, &format!("ssh = [\"{shell}\"]"), 100, "");
        for out in ["sent", "there"] {
            let out = format!("{shell}-{out}");
            site.logstitch(&job, &out).ends_with(0);
            assert_eq!(rows(&site.out("web")), rows(&site.out(&out)), "{out}");
        }
        assert_eq!(site.sshd(shell).deployed().len(), 1, "{shell}");
    }
}
