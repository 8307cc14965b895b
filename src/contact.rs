//! A host's mapper, reached and greeted: what a run and a preflight have in common.

use std::time::Duration;

use jobspec::job::{ClockSpec, HostSpec, TransportSpec};
use mapper::frame::Blob;
use mapper::message::{BUILD, FromMapper, Start, ToMapper};
use reducer::report::{HostReport, Phase};
use tokio::time::timeout;

use crate::clock::{Offset, Pings};
use crate::deploy;
use crate::fleet::Settings;
use crate::transport::conversation::{Conversation, LastWords};
use crate::transport::{AttemptError, Pipe};

/// How long a host that has failed is listened to for the reason.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Characters of a text of a host's that an error shows.
const TEXT_CHARS: usize = 1000;

/// What a mapper says last that is refused more memory: for what it holds, or for a thread.
const OUT_OF_MEMORY: [&str; 3] = [
    "memory allocation of",
    "cannot start threads",
    "failed to spawn thread",
];

/// Bytes of an order that goes ahead of the mapper it is for: less than any pipe and any first window holds, so that
/// nobody has to read yet.
const AHEAD_BYTES: usize = 32 << 10;

/// One attempt's connection.
pub struct Contact {
    conversation: Conversation,
    last_words: LastWords,
    pings: Pings,
}

impl Contact {
    /// Connects, has the mapper there, hears its greeting and gives it the order, if there is one yet. The order goes out
    /// before anything is heard, where it may: a mapper that is there already then begins a round trip earlier.
    pub async fn make(
        spec: &HostSpec,
        settings: &Settings,
        report: &mut HostReport,
        order: Option<&ToMapper>,
    ) -> Result<Contact, AttemptError> {
        let mut ahead = Vec::new();
        if let Some(order) = order {
            order.encode(&mut ahead);
        }
        if ahead.len() > AHEAD_BYTES {
            ahead.clear();
        }
        let deploys = settings.ways.deploys(&spec.transport);
        let bootstrap = match deploys {
            true => settings
                .mappers
                .mappers()
                .bootstrap(settings.deploy_dir.as_deref(), ahead.len())?,
            false => String::new(),
        };
        let mut pipe = {
            let turn = settings.dialling.acquire().await;
            let _turn = turn.expect("nobody closes it");
            settings.ways.open(spec, &bootstrap, &ahead).await?
        };
        report.sent_bytes += ahead.len() as u64;
        let last_words = LastWords::follow(&mut pipe);
        let mut is_ordered = !ahead.is_empty();
        let mut early = Vec::new();
        if deploys {
            let mappers = settings.mappers.mappers();
            let sent_bytes = &mut report.sent_bytes;
            match deploy::deploy(&mut pipe, mappers, settings.silence, sent_bytes).await {
                Ok(deployed) => {
                    is_ordered &= !deployed.was_sent;
                    early = deployed.early;
                }
                Err(error) => return Err(explained(error, pipe, last_words).await),
            }
        }
        report.received_bytes += early.len() as u64;
        let mut contact = Contact {
            conversation: Conversation::new(pipe, early, settings.silence),
            last_words,
            pings: Pings::default(),
        };
        let late = order.filter(|_| !is_ordered);
        match contact.begin(late).await {
            Ok(()) => {
                report.build = Some(BUILD.to_owned());
                Ok(contact)
            }
            Err(error) => {
                let ended = contact.end(Err(error), report).await;
                Err(ended.expect_err("an error stays one"))
            }
        }
    }

    async fn begin(&mut self, order: Option<&ToMapper>) -> Result<(), AttemptError> {
        self.greeting().await?;
        match order {
            Some(order) => self.say(order).await,
            None => Ok(()),
        }
    }

    async fn greeting(&mut self) -> Result<(), AttemptError> {
        match self.hear().await? {
            FromMapper::Hello { build } if build == BUILD => Ok(()),
            FromMapper::Hello { build } => {
                let text = format!("its mapper is of build {}, this is {BUILD}", shown(&build));
                Err(AttemptError::lasting(Phase::Protocol, text))
            }
            _ => Err(refused("no greeting")),
        }
    }

    pub async fn say(&mut self, message: &ToMapper) -> Result<(), AttemptError> {
        self.conversation.say(message).await
    }

    pub async fn hear(&mut self) -> Result<FromMapper, AttemptError> {
        self.conversation.hear().await
    }

    /// Asks for the host's clock; the answer comes among the messages.
    pub async fn ping(&mut self) -> Result<(), AttemptError> {
        self.pings.send();
        self.say(&ToMapper::Ping).await
    }

    /// Takes the answer to a ping, and asks again while that may make it surer.
    pub async fn pong(&mut self, clock_ns: i64) -> Result<Offset, AttemptError> {
        let offset = self.pings.answer(clock_ns);
        let offset = offset.ok_or_else(|| refused("its clock unasked"))?;
        if self.pings.go_on() {
            self.ping().await?;
        }
        Ok(offset)
    }

    /// The answer to a ping that is still out, of a mapper that has nothing else to say any more.
    pub async fn last_pong(&mut self) -> Option<Offset> {
        if !self.pings.is_waiting() {
            return None;
        }
        match self.hear().await {
            Ok(FromMapper::Pong { clock_ns }) => self.pings.answer(clock_ns),
            _ => None,
        }
    }

    /// All pings at once, and the surest answer: one round trip.
    pub async fn measure_clock(&mut self) -> Result<Offset, AttemptError> {
        while self.pings.go_on() {
            self.ping().await?;
        }
        let mut best: Option<Offset> = None;
        while self.pings.is_waiting() {
            let FromMapper::Pong { clock_ns } = self.hear().await? else {
                return Err(refused("something else than its clock"));
            };
            let offset = self.pong(clock_ns).await?;
            best = Some(best.map_or(offset, |best| best.surer(offset)));
        }
        best.ok_or_else(|| refused("no clock"))
    }

    /// Adds to the report what went over the wire, and to an error what the host said last.
    pub async fn end(
        self,
        result: Result<(), AttemptError>,
        report: &mut HostReport,
    ) -> Result<(), AttemptError> {
        let conversation = self.conversation;
        report.sent_bytes += conversation.sent_bytes;
        report.received_bytes += conversation.received_bytes;
        match result {
            Ok(()) => Ok(()),
            Err(error) => Err(explained(error, conversation.pipe, self.last_words).await),
        }
    }
}

/// The mapper's own last words say more than a broken pipe.
async fn explained(error: AttemptError, pipe: Pipe, last_words: LastWords) -> AttemptError {
    if !error.passing {
        return error;
    }
    let Pipe {
        stdin,
        stdout,
        mut process,
        ..
    } = pipe;
    drop((stdin, stdout));
    let end = match timeout(LAST_WORDS, process.wait()).await {
        Ok(Ok(end)) => format!(" ({end})"),
        Ok(Err(error)) => format!(" ({error})"),
        Err(_) => String::new(),
    };
    let said = last_words.listen(LAST_WORDS).await;
    if OUT_OF_MEMORY.iter().any(|words| said.contains(words)) {
        let text = format!("its mapper needs more than `[limits] memory` allows{end}: {said}");
        return AttemptError::lasting(Phase::Limit, text);
    }
    let said = if said.is_empty() {
        said
    } else {
        format!(", it said: {said}")
    };
    AttemptError {
        message: format!("{}{end}{said}", error.message),
        ..error
    }
}

/// What the mapper of a host is told, but for what earlier attempts have learnt.
pub fn start(spec: &HostSpec, index: u32, settings: &Settings) -> Start {
    // Paths of other hosts are theirs: absolute, or from where a login starts.
    let folder = match spec.transport {
        TransportSpec::Local => settings.folder.as_os_str().as_encoded_bytes().to_vec(),
        TransportSpec::Ssh(_) | TransportSpec::Exec { .. } => Vec::new(),
    };
    Start {
        build: BUILD.to_owned(),
        plan: settings.plan.clone(),
        host: spec.name.clone(),
        host_index: index,
        logs: spec.logs.clone(),
        folder: Blob(folder),
        clock_ahead_ns: 0,
        segment_bytes: settings.segment_bytes,
        // Often enough that some may be late.
        heartbeat_ms: settings.silence.as_millis() as u64 / 6,
        manifest: None,
        committed: Vec::new(),
    }
}

/// What is taken off the times of a host whose clock was measured so.
pub fn taken_off(spec: &HostSpec, measured: Option<Offset>) -> i64 {
    match spec.clock {
        ClockSpec::FixedNs(ahead_ns) => ahead_ns,
        ClockSpec::Measured => measured.map_or(0, Offset::to_take_off),
        ClockSpec::Trusted => 0,
    }
}

/// A host's text as an error may show it.
pub fn shown(text: &str) -> String {
    let text: String = text.chars().take(TEXT_CHARS).collect();
    text.escape_debug().to_string()
}

/// What a host may not send.
pub fn refused(what: impl std::fmt::Display) -> AttemptError {
    AttemptError::passing(Phase::Protocol, format!("sent {what}"))
}
