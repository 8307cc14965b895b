//! Simulated hosts: mappers in memory that do what a mapper does, late, and now and then what none may do.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobspec::job::{HostSpec, TransportSpec};
use mapper::frame::{self, Decoder, MARKER};
use mapper::message::{BUILD, FromMapper, Manifest, SegmentRange, Start, ToMapper, Usage};
use reducer::report::Phase;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::sleep;

use super::world::World;
use crate::clock;
use crate::command::r#gen::random::Random;
use crate::transport::{AttemptError, Opening, Pipe, Process, Ways};

/// How an attempt goes wrong, at some message of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Refused,
    BlackHole,
    Denied,
    OtherBuild,
    Cut,
    CutInAFrame,
    Hangs,
    Bit,
    Length,
    PartFirst,
    Overlap,
    OtherHost,
    SecondManifest,
    OtherLog,
    NoSuchStream,
    EarlyDone,
    PongUnasked,
    Heartbeats,
    GivesUp,
    Noise,
}

const FAULTS: [Fault; 20] = [
    Fault::Refused,
    Fault::BlackHole,
    Fault::Denied,
    Fault::OtherBuild,
    Fault::Cut,
    Fault::CutInAFrame,
    Fault::Hangs,
    Fault::Bit,
    Fault::Length,
    Fault::PartFirst,
    Fault::Overlap,
    Fault::OtherHost,
    Fault::SecondManifest,
    Fault::OtherLog,
    Fault::NoSuchStream,
    Fault::EarlyDone,
    Fault::PongUnasked,
    Fault::Heartbeats,
    Fault::GivesUp,
    Fault::Noise,
];

/// The ways to them.
pub struct Simulated {
    pub world: Arc<World>,
    pub random: Mutex<Random>,
    /// How many attempts in a thousand go wrong.
    pub faults: u64,
}

impl Ways for Simulated {
    fn open<'a>(&'a self, host: &'a HostSpec, _bootstrap: &'a str, first: &'a [u8]) -> Opening<'a> {
        let index = self
            .world
            .job
            .hosts
            .iter()
            .position(|of| of.name == host.name);
        let index = index.expect("a host of this world") as u32;
        let mut random = {
            let mut random = self.random.lock().unwrap();
            let label = random.next();
            random.fork(label)
        };
        let fault = random
            .chance(self.faults)
            .then(|| FAULTS[random.below(FAULTS.len() as u64) as usize]);
        Box::pin(async move {
            sleep(Duration::from_millis(random.below(3000))).await;
            match fault {
                Some(Fault::Refused) => {
                    return Err(AttemptError::passing(Phase::Connect, "connection refused"));
                }
                Some(Fault::BlackHole) => {
                    sleep(Duration::from_secs(15)).await;
                    return Err(AttemptError::passing(Phase::Timeout, "does not answer"));
                }
                // Rarely: it ends the host.
                Some(Fault::Denied) if random.chance(200) => {
                    return Err(AttemptError::lasting(Phase::Auth, "permission denied"));
                }
                _ => {}
            }
            let (stdin, orders) = tokio::io::duplex(1 << random.range(6, 16));
            let (words, stdout) = tokio::io::duplex(1 << random.range(6, 16));
            let mut decoder = Decoder::without_marker();
            decoder.push(first);
            let mapper = Mapper {
                world: self.world.clone(),
                index,
                fault,
                faulty_message: random.below(14),
                messages: 0,
                orders,
                words,
                random,
                decoder,
            };
            let task = tokio::spawn(mapper.live());
            Ok(Pipe {
                stdin: Box::pin(stdin),
                stdout: Box::pin(stdout),
                stderr: Box::pin(tokio::io::empty()),
                process: Box::new(Running(task)),
            })
        })
    }

    fn deploys(&self, _transport: &TransportSpec) -> bool {
        false
    }
}

struct Running(tokio::task::JoinHandle<Option<()>>);

impl Process for Running {
    fn wait(&mut self) -> Pin<Box<dyn Future<Output = std::io::Result<String>> + Send + '_>> {
        Box::pin(async {
            let _ = (&mut self.0).await;
            Ok("simulated".to_owned())
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Mapper {
    world: Arc<World>,
    index: u32,
    fault: Option<Fault>,
    /// The message with which the fault comes.
    faulty_message: u64,
    messages: u64,
    orders: DuplexStream,
    words: DuplexStream,
    random: Random,
    decoder: Decoder,
}

/// None: the runner is gone, or this mapper is.
impl Mapper {
    async fn live(mut self) -> Option<()> {
        if self.random.chance(200) {
            self.words
                .write_all(b"Welcome to this host!\n")
                .await
                .ok()?;
        }
        self.words.write_all(MARKER).await.ok()?;
        let build = match self.fault {
            Some(Fault::OtherBuild) if self.random.chance(200) => "other".to_owned(),
            _ => BUILD.to_owned(),
        };
        self.say(FromMapper::Hello { build }).await?;
        let start = self.start().await?;
        let world = self.world.clone();
        let own = &world.hosts[self.index as usize];
        match &start.manifest {
            None => {
                if self.is_now(Fault::PartFirst) {
                    let part = own.parts.values().next()?.clone();
                    self.say(FromMapper::Part(part)).await?;
                }
                let mut manifest = own.manifest.clone();
                if self.is_now(Fault::OtherLog) {
                    manifest.streams[0].stream.log = 7;
                }
                self.say(FromMapper::Manifest(manifest)).await?;
            }
            Some(manifest) => {
                // What the first attempt found and took off, all of them do.
                let unclocked = Manifest {
                    clock: own.manifest.clock,
                    ..manifest.clone()
                };
                assert!(frame::to_bytes(&unclocked) == frame::to_bytes(&own.manifest));
                assert_eq!(manifest.clock.ahead_ns, start.clock_ahead_ns);
            }
        }
        for range in self.ranges(&start.committed) {
            let pause = match self.random.chance(50) {
                true => self.random.below(25_000),
                false => self.random.below(400),
            };
            sleep(Duration::from_millis(pause)).await;
            let part = own.parts[&range].clone();
            self.misbehave(range).await?;
            self.say(FromMapper::Part(part.clone())).await?;
            // Twice is once.
            if self.random.chance(100) {
                self.say(FromMapper::Part(part)).await?;
            }
        }
        self.say(FromMapper::Done(Usage::default())).await?;
        std::future::pending().await
    }

    /// Answers pings until the order comes.
    async fn start(&mut self) -> Option<Start> {
        let mut buffer = [0; 4096];
        loop {
            while let Some(message) = self.decoder.next_message().unwrap() {
                match ToMapper::decode(&message).unwrap() {
                    ToMapper::Ping => {
                        let late = Duration::from_millis(self.random.below(300));
                        sleep(late).await;
                        // Far off, and by another figure each time.
                        let ahead_ns = self.random.below(1 << 40) as i64;
                        let clock_ns = clock::now_ns() + ahead_ns;
                        self.say(FromMapper::Pong { clock_ns }).await?;
                    }
                    ToMapper::Start(start) => return Some(*start),
                    ToMapper::Look(_) => panic!("a run does not look"),
                }
            }
            match self.orders.read(&mut buffer).await {
                Ok(read @ 1..) => self.decoder.push(&buffer[..read]),
                _ => return None,
            }
        }
    }

    /// What is not in yet, as any scan may hand it on: runs of any length, in any order.
    fn ranges(&mut self, committed: &[SegmentRange]) -> Vec<SegmentRange> {
        let world = self.world.clone();
        let manifest = &world.hosts[self.index as usize].manifest;
        let mut ranges: Vec<SegmentRange> = Vec::new();
        for (stream, planned) in (0..).zip(&manifest.streams) {
            for first in 0..planned.cuts.len() as u32 {
                let mut in_already = committed.iter().filter(|range| range.stream == stream);
                if in_already.any(|range| (range.first..range.end).contains(&first)) {
                    continue;
                }
                let joins = self.random.chance(500);
                match ranges.last_mut() {
                    Some(last) if joins && last.stream == stream && last.end == first => {
                        last.end += 1;
                    }
                    _ => ranges.push(SegmentRange {
                        stream,
                        first,
                        end: first + 1,
                    }),
                }
            }
        }
        for at in (1..ranges.len()).rev() {
            ranges.swap(at, self.random.below(at as u64 + 1) as usize);
        }
        ranges
    }

    fn is_now(&self, fault: Fault) -> bool {
        self.fault == Some(fault) && self.messages >= self.faulty_message.min(4)
    }

    /// Says what it may not, before the part that would be next.
    async fn misbehave(&mut self, next: SegmentRange) -> Option<()> {
        if self.messages < self.faulty_message {
            return Some(());
        }
        let world = self.world.clone();
        let own = &world.hosts[self.index as usize];
        let fault = self.fault.take();
        match fault? {
            Fault::Overlap => {
                // Partly in already, wherever something is.
                let mut longer = own.parts.iter().filter(|(range, _)| {
                    range.stream == next.stream
                        && range.first < next.first
                        && range.end > next.first
                });
                let (_, part) = longer.next()?;
                self.say(FromMapper::Part(part.clone())).await
            }
            Fault::OtherHost => {
                let other = (self.index as usize + 1) % world.hosts.len();
                let part = world.hosts[other].parts.get(&next)?.clone();
                self.say(FromMapper::Part(part)).await
            }
            Fault::NoSuchStream => {
                let mut part = own.parts[&next].clone();
                part.range.stream = u32::MAX;
                self.say(FromMapper::Part(part)).await
            }
            Fault::SecondManifest => {
                let manifest = own.manifest.clone();
                self.say(FromMapper::Manifest(manifest)).await
            }
            Fault::EarlyDone => self.say(FromMapper::Done(Usage::default())).await,
            Fault::PongUnasked => {
                for _ in 0..=clock::PINGS {
                    self.say(FromMapper::Pong { clock_ns: 0 }).await?;
                }
                Some(())
            }
            Fault::Hangs => std::future::pending().await,
            Fault::Cut => None,
            Fault::Heartbeats => loop {
                self.say(FromMapper::Heartbeat { scanned_bytes: 1 }).await?;
                sleep(Duration::from_secs(5)).await;
            },
            Fault::GivesUp if self.random.chance(200) => {
                self.say(FromMapper::Failed("no more".to_owned())).await
            }
            Fault::Noise => {
                self.words.write_all(&[b'x'; 100]).await.ok()?;
                std::future::pending().await
            }
            fault => {
                self.fault = Some(fault);
                Some(())
            }
        }
    }

    /// A message in pieces, as a network brings it; some faults are in the bytes.
    async fn say(&mut self, message: FromMapper) -> Option<()> {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.messages += 1;
        if self.messages > self.faulty_message {
            match self.fault {
                Some(Fault::Bit) => {
                    let at = self.random.below(bytes.len() as u64) as usize;
                    bytes[at] ^= 1 << self.random.below(8);
                    self.fault = None;
                }
                Some(Fault::Length) => {
                    bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
                    self.fault = None;
                }
                Some(Fault::CutInAFrame) => {
                    let at = self.random.below(bytes.len() as u64) as usize;
                    self.words.write_all(&bytes[..at]).await.ok()?;
                    return None;
                }
                _ => {}
            }
        }
        let piece = self.random.range(1, 2000) as usize;
        for piece in bytes.chunks(piece.max(bytes.len() / 20)) {
            self.words.write_all(piece).await.ok()?;
        }
        Some(())
    }
}
