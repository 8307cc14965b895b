//! What networks do, in network namespaces: nobody answers, cut connections, a link that goes down, one that is slow.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::harness::rows;
use crate::ssh::{disturbed, noise, slow_job, summary};
use crate::sshd::{Around, Site, run, wait_until};

/// A network namespace behind a link, gone when the test is.
struct Network {
    name: String,
    /// This side of the link and that one.
    near: String,
    far: String,
    /// An address that is led there, and that nobody has.
    nobody: String,
}

impl Network {
    fn new() -> Network {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        // Four addresses of 10.128.0.0/9 that no other test of this machine has.
        let base = ((process.wrapping_mul(8) + number % 8) * 4) & 0x7f_ffff;
        let address = |last: u32| {
            let [_, b, c, d] = (base + last).to_be_bytes();
            format!("10.{}.{c}.{d}", 128 + (b & 0x7f))
        };
        let network = Network {
            name: format!("ls{process}-{number}"),
            near: address(1),
            far: address(2),
            nobody: address(3),
        };
        let (name, link) = (&network.name, network.link());
        network.ip(&["netns", "add", name]);
        network.ip(&[
            "link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", name,
        ]);
        network.ip(&[
            "addr",
            "add",
            &format!("{}/31", network.near),
            "peer",
            &network.far,
            "dev",
            &link,
        ]);
        network.ip(&["link", "set", &link, "up"]);
        network.ip(&[
            "route",
            "add",
            &network.nobody,
            "via",
            &network.far,
            "dev",
            &link,
            "onlink",
        ]);
        network.inside(&[
            "addr",
            "add",
            &network.far,
            "peer",
            &network.near,
            "dev",
            "eth0",
        ]);
        network.inside(&["link", "set", "eth0", "up"]);
        network.inside(&["link", "set", "lo", "up"]);
        network
    }

    fn link(&self) -> String {
        self.name.clone()
    }

    fn ip(&self, arguments: &[&str]) {
        run(Command::new("ip").args(arguments));
    }

    /// The same in the namespace.
    fn inside(&self, arguments: &[&str]) {
        self.ip(&[&["-n", &self.name], arguments].concat());
    }

    /// For an sshd in it.
    fn around(&self) -> Around {
        Around {
            address: self.far.clone(),
            command: ["ip", "netns", "exec", &self.name]
                .map(str::to_owned)
                .into(),
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
        let _ = Command::new("ip")
            .args(["link", "del", &self.link()])
            .output();
    }
}

#[test]
fn an_address_that_answers_nothing_is_given_up() {
    let network = Network::new();
    let site = Site::new("blackhole", &["web"]);
    site.write_config(&format!("Host nobody\n  HostName {}\n", network.nobody));
    let key = site.sshd("web").public_key();
    site.folder.write(
        "known_hosts",
        format!("web {key}\n{} {key}\n", network.nobody),
    );
    let job = slow_job(&site, "ssh = [\"web\"]", 10, "[select.all]");
    site.logstitch(&job, "alone").ends_with(0);
    let job = slow_job(
        &site,
        "ssh = [\"web\", \"nobody\"]",
        10,
        "[select.all]\n[run]\nretries = 0",
    );
    let ended = site.logstitch(&job, "out").ends_with(4);
    assert!(
        ended.stderr.contains("does not answer within"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("INCOMPLETE: nobody"),
        "{}",
        ended.stderr
    );
    let host = &summary(&site.out("out"))["hosts"][0];
    assert_eq!(
        (host["state"].as_str(), host["phase"].as_str()),
        (Some("failed"), Some("timeout"))
    );
    assert_eq!(rows(&site.out("alone")), rows(&site.out("out")));
}

#[test]
fn a_connection_that_is_cut_in_the_network_is_made_again() {
    disturbed("cut-off", |site, _| {
        let port = format!("dport = :{}", site.sshd("web").port);
        let mut cut = Command::new("ss");
        run(cut.args(["-K", "state", "established", &port]));
    });
}

#[test]
fn a_link_that_goes_down_and_comes_back_costs_no_row() {
    let network = Network::new();
    let mut site = Site::new("link", &[]);
    site.add_around("web", "", network.around());
    let limits = "[run]\nretries = 20\n[limits]\nthreads = 1\nread_rate = \"100kB/s\"";
    let job = slow_job(&site, "ssh = [\"web\"]", 1500, limits);
    let quick = job.with_file_name("quick.toml");
    let text = std::fs::read_to_string(&job).unwrap();
    std::fs::write(&quick, text.split("[run]").next().unwrap()).unwrap();
    site.logstitch(&quick, "quick").ends_with(0);
    let log = site.path("stderr");
    let mut running = site
        .logstitch(&job, "slow")
        .env("LOGSTITCH_SILENCE_MS", "2000")
        .stderr_to(&log)
        .start();
    assert!(wait_until(|| !site.sshd("web").mappers().is_empty()));
    site.wait_for_parts("slow", 0);
    network.ip(&["link", "set", &network.link(), "down"]);
    // Nobody tells either side: silence does.
    assert!(wait_until(|| std::fs::read_to_string(&log)
        .unwrap()
        .contains("; attempt 2 in")));
    network.ip(&["link", "set", &network.link(), "up"]);
    network.ip(&[
        "route",
        "replace",
        &network.nobody,
        "via",
        &network.far,
        "dev",
        &network.link(),
        "onlink",
    ]);
    assert_eq!(
        running.wait().unwrap().code(),
        Some(0),
        "{}",
        std::fs::read_to_string(&log).unwrap()
    );
    assert_eq!(rows(&site.out("quick")), rows(&site.out("slow")));
    assert!(summary(&site.out("slow"))["hosts"][0]["attempts"].as_u64() >= Some(2));
}

#[test]
fn a_slow_link_is_only_slow() {
    let network = Network::new();
    let mut site = Site::new("slow-link", &[]);
    site.add_around("web", "", network.around());
    let select = "[select.all]\ncolumns = [\"text\"]";
    let job = slow_job(&site, "ssh = [\"web\"]", 10, select);
    site.folder.write("logs/app.jsonl", noise(4000));
    // Before the link is slow, so that the mapper is there.
    site.logstitch(&job, "quick").ends_with(0);
    let received = summary(&site.out("quick"))["hosts"][0]["received_bytes"]
        .as_u64()
        .unwrap();
    // Both ways, and so that the answer takes seconds.
    let rate = format!("{}bit", received * 8 / 6);
    for netns in [false, true] {
        let mut tc = Command::new("tc");
        if netns {
            tc.args(["-n", &network.name]);
        }
        let device = if netns {
            "eth0".to_owned()
        } else {
            network.link()
        };
        run(tc.args([
            "qdisc", "add", "dev", &device, "root", "tbf", "rate", &rate, "burst", "5kb",
            "latency", "1s",
        ]));
    }
    let began = Instant::now();
    site.logstitch(&job, "slow").ends_with(0);
    assert!(
        began.elapsed() > Duration::from_secs(3),
        "the link was not slow"
    );
    assert_eq!(rows(&site.out("quick")), rows(&site.out("slow")));
    assert_eq!(summary(&site.out("slow"))["hosts"][0]["attempts"], 1);
}
