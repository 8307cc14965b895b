//! `[hosts.NAME]`: groups to hosts. Names are expanded here, lists are asked for here, and `--host` picks here.

use std::collections::{HashMap, HashSet};

use super::Compiler;
use super::view::View;
use crate::diagnostic::Place;
use crate::job::{ClockSpec, GroupSpec, HostSpec, ListSource, SshSpec, TransportSpec};
use crate::names::{self, MOST_HOSTS, Target};
use crate::table::{Text, shortened};
use crate::units;

/// A host list that is larger is none.
const LARGEST_LIST: usize = 64 << 20;
const KINDS: [&str; 3] = ["ssh", "local", "exec"];

/// The hosts of the job file, before logs are put on them.
pub(super) struct Placed {
    pub groups: Vec<GroupSpec>,
    /// In the order of the job file.
    pub hosts: Vec<HostSpec>,
    /// Index into `hosts` by name.
    pub by_name: HashMap<String, usize>,
    /// Indices into `hosts` by group.
    pub by_group: HashMap<String, Vec<usize>>,
    /// Those that `--host` keeps; None where it was not given.
    pub kept: Option<HashSet<usize>>,
}

/// What all hosts of a group share.
struct Group<'t> {
    name: &'t str,
    kind: &'static str,
    clock: ClockSpec,
    user: Option<String>,
    port: Option<u16>,
    identity: Option<String>,
    via: Vec<String>,
    command: Vec<String>,
}

impl Compiler<'_> {
    pub(super) fn hosts(&mut self, view: View<'_>) -> Placed {
        let mut placed = Placed {
            groups: Vec::new(),
            hosts: Vec::new(),
            by_name: HashMap::new(),
            by_group: HashMap::new(),
            kept: None,
        };
        for (entry, view) in view.named("hosts") {
            self.group(&entry.key, view, &mut placed);
        }
        if placed.groups.iter().all(|group| group.asked) {
            self.hosts = Some(placed.hosts.iter().map(|host| host.name.clone()).collect());
        }
        self.keep(&mut placed);
        placed
    }

    fn group(&mut self, name: &str, view: View<'_>, placed: &mut Placed) {
        placed.by_group.insert(name.to_owned(), Vec::new());
        let Some(kind) = KINDS.into_iter().find(|kind| view.entry(kind).is_some()) else {
            return;
        };
        for (key, wants) in [
            ("command", "exec"),
            ("user", "ssh"),
            ("port", "ssh"),
            ("identity", "ssh"),
            ("via", "ssh"),
        ] {
            if kind != wants && view.entry(key).is_some() {
                self.mistake(
                    view.place_of(key),
                    format!("`{key}` has no meaning for {kind} hosts, only for {wants}"),
                );
            }
        }
        let group = Group {
            name,
            kind,
            clock: self.clock(view),
            user: self.user(view),
            port: view
                .integer("port")
                .and_then(|port| u16::try_from(port).ok()),
            identity: view.written("identity").map(|text| text.value),
            via: self.via(view),
            command: view
                .texts("command")
                .unwrap_or_default()
                .into_iter()
                .map(|text| text.value)
                .collect(),
        };
        if kind == "exec" && view.entry("command").is_none() {
            self.mistake_with(
                view.place_of("command"),
                "exec hosts need a `command`",
                "as in command = [\"kubectl\", \"exec\", \"-i\", \"{host}\", \"--\", \"sh\", \"-c\", \"{bootstrap}\"]",
            );
        }
        let mut spec = GroupSpec {
            name: name.to_owned(),
            hosts: 0,
            list: None,
            asked: true,
        };
        let before = placed.hosts.len();
        if let Some(list) = view.table(kind) {
            self.listed(&group, list, &mut spec, placed);
        } else if let Some(names) = view.texts(kind) {
            for text in names {
                self.pattern(&group, &text, placed);
            }
        }
        spec.hosts = (placed.hosts.len() - before) as u32;
        placed.groups.push(spec);
    }

    /// The names of `"web[01-20]"`.
    fn pattern(&mut self, group: &Group<'_>, text: &Text, placed: &mut Placed) {
        let room = MOST_HOSTS.saturating_sub(placed.hosts.len());
        match names::expand(&text.value, room) {
            Err(mistake) => {
                let place = self.inside(text, mistake.start..mistake.end);
                self.mistake(&place, mistake.message);
            }
            Ok(names) => {
                for name in names {
                    if !self.host(group, &name, &text.place, false, placed) {
                        break;
                    }
                }
            }
        }
    }

    fn listed(
        &mut self,
        group: &Group<'_>,
        list: View<'_>,
        spec: &mut GroupSpec,
        placed: &mut Placed,
    ) {
        let (source, name) = match (list.written("file"), list.texts("command")) {
            (Some(file), None) => (ListSource::File(file.value.clone()), file.value),
            (None, Some(command)) if !command.is_empty() => {
                let command: Vec<_> = command.into_iter().map(|text| text.value).collect();
                let name = format!("output of {}", command.join(" "));
                (ListSource::Command(command), name)
            }
            _ => return,
        };
        let answer = (self.request.host_list)(&source);
        spec.list = Some(source);
        match answer {
            Err(message) => self.mistake(
                list.place,
                format!("cannot read the host list: {}", message.trim()),
            ),
            Ok(None) => spec.asked = false,
            Ok(Some(bytes)) if bytes.len() > LARGEST_LIST => {
                self.mistake(
                    list.place,
                    format!("the host list is larger than {} MiB", LARGEST_LIST >> 20),
                );
            }
            Ok(Some(bytes)) => {
                let text = String::from_utf8_lossy(&bytes);
                let number = self.add_text(&name, &text);
                let hosts = names::listed(&text);
                if hosts.is_empty() {
                    self.mistake(list.place, "the host list names no host");
                }
                for (at, name) in hosts {
                    let place = Place::new(number, at..at + name.len());
                    if placed.hosts.len() >= MOST_HOSTS {
                        self.mistake(
                            &place,
                            format!("more than the {MOST_HOSTS} hosts that a job may have"),
                        );
                        break;
                    }
                    self.host(group, name, &place, true, placed);
                }
            }
        }
    }

    /// One host; false where going on with the names beside it would only repeat the mistake.
    fn host(
        &mut self,
        group: &Group<'_>,
        written: &str,
        place: &Place,
        listed: bool,
        placed: &mut Placed,
    ) -> bool {
        let made = match group.kind {
            "ssh" => Target::parse(written).map(|target| {
                let name = target.name();
                let ssh = SshSpec {
                    target: target.host,
                    user: target.user.or_else(|| group.user.clone()),
                    port: target.port.or(group.port),
                    identity: group.identity.clone(),
                    via: group.via.clone(),
                };
                (name, TransportSpec::Ssh(ssh))
            }),
            // The name of a node is part of paths, so it holds nothing that leads elsewhere.
            "local" => names::check_host(written, &['.', '-', '_'])
                .map(|()| (written.to_owned(), TransportSpec::Local)),
            _ => names::check_host(written, &['.', '-', '_', '/', ':', '@', '+', '=']).map(|()| {
                let command = group
                    .command
                    .iter()
                    .map(|part| part.replace("{host}", written))
                    .collect();
                (written.to_owned(), TransportSpec::Exec { command })
            }),
        };
        let (name, transport) = match made {
            Ok(made) => made,
            Err(message) => {
                self.mistake(place, format!("`{}`: {message}", shortened(written)));
                return false;
            }
        };
        if let Some(&known) = placed.by_name.get(&name) {
            let other = &placed.hosts[known];
            // Inventories repeat a host that is in two groups of theirs.
            if listed && other.group == group.name && other.transport == transport {
                return true;
            }
            let message = format!("the host `{name}` is already in `[hosts.{}]`", other.group);
            self.mistake(place, message);
            return false;
        }
        let index = placed.hosts.len();
        placed.by_name.insert(name.clone(), index);
        placed
            .by_group
            .entry(group.name.to_owned())
            .or_default()
            .push(index);
        placed.hosts.push(HostSpec {
            name,
            group: group.name.to_owned(),
            transport,
            clock: group.clock,
            logs: Vec::new(),
        });
        true
    }

    fn clock(&mut self, view: View<'_>) -> ClockSpec {
        let read = |text: &str| {
            match text {
            "trusted" => Ok(ClockSpec::Trusted),
            "measured" => Ok(ClockSpec::Measured),
            _ => match units::offset(text) {
                Some(Ok(ns)) => Ok(ClockSpec::FixedNs(ns)),
                Some(Err(message)) => Err(message),
                None => Err("not a clock: \"trusted\", \"measured\", or by how much it runs ahead, as \"+2s\"".to_owned()),
            },
        }
        };
        self.measured(view, "clock", read)
            .unwrap_or(ClockSpec::Trusted)
    }

    fn user(&mut self, view: View<'_>) -> Option<String> {
        let user = view.written("user")?;
        match names::check_user(&user.value) {
            Ok(user) => Some(user),
            Err(message) => {
                self.mistake(&user.place, message);
                None
            }
        }
    }

    fn via(&mut self, view: View<'_>) -> Vec<String> {
        let hops = match view.written("via") {
            Some(hop) => vec![hop],
            None => view.texts("via").unwrap_or_default(),
        };
        if hops.len() > 16 {
            self.mistake(view.place_of("via"), "more than 16 jump hosts");
        }
        let mut via = Vec::new();
        for hop in hops {
            match Target::parse(&hop.value) {
                Ok(_) => via.push(hop.value),
                Err(message) => self.mistake(
                    &hop.place,
                    format!("`{}`: {message}", shortened(&hop.value)),
                ),
            }
        }
        via
    }

    /// The hosts that a word of `[logs.X] hosts` or `--host` means: a group, a name, or names in brackets.
    pub(super) fn hosts_of(&mut self, text: &Text, placed: &Placed) -> Vec<usize> {
        if let Some(hosts) = placed.by_group.get(&text.value) {
            return hosts.clone();
        }
        if let Some(host) = placed.by_name.get(&text.value) {
            return vec![*host];
        }
        if text.value.contains('[') {
            let names = names::expand(&text.value, MOST_HOSTS).unwrap_or_default();
            let hosts: Option<Vec<_>> = names
                .iter()
                .map(|name| placed.by_name.get(name).copied())
                .collect();
            if let Some(hosts) = hosts.filter(|hosts| !hosts.is_empty()) {
                return hosts;
            }
        }
        // A list that was not asked may well name it.
        if placed.groups.iter().all(|group| group.asked) {
            let known: Vec<&str> = placed
                .by_group
                .keys()
                .chain(placed.by_name.keys())
                .map(String::as_str)
                .collect();
            self.unknown(&text.place, "host or group", &text.value, known.into_iter());
        }
        Vec::new()
    }

    fn keep(&mut self, placed: &mut Placed) {
        if self.request.hosts.is_empty() {
            return;
        }
        let mut kept = HashSet::new();
        for word in self.request.hosts {
            let number = self.add_text("--host", word);
            let text = Text {
                value: word.clone(),
                place: Place::new(number, 0..word.len()),
            };
            kept.extend(self.hosts_of(&text, placed));
        }
        placed.kept = Some(kept);
    }
}
