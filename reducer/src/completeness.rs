//! What of a run came: every host's tallies, and whether a log is whole on it. Rows ask before they are finished, for
//! their certainty; the summary says it.

use jobspec::value::OwnedValue;
use mapper::frame;
use mapper::tally::StreamTally;

use crate::Error;
use crate::report::HostState;
use crate::spool::{Spool, SpooledHost};

/// What came of each host.
pub struct Completeness {
    hosts: Vec<HostCompleteness>,
}

/// What came of one host.
pub struct HostCompleteness {
    /// By stream of its manifest.
    pub tallies: Vec<StreamTally>,
    /// Whether the host ended well and all that it has is in.
    pub is_whole: bool,
    /// By log of the plan: what did not come that the host has of it. Nothing of a log that it does not hold.
    pub losses: Vec<Loss>,
}

/// What of a log did not come, from the least to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    None,
    /// Whole streams, of which nothing came: those of a lost host, say.
    Streams,
    /// Whole segments: every entry that came is as it would have been.
    Segments,
    /// Files, or parts of them: entries beside the gap may have been taken for others than they are.
    Files,
}

impl Completeness {
    pub fn of(spool: &Spool) -> Result<Completeness, Error> {
        let hosts = (0..spool.hosts.len()).map(|host| of_host(spool, host as u32));
        Ok(Completeness {
            hosts: hosts.collect::<Result<_, _>>()?,
        })
    }

    #[cfg(test)]
    pub fn of_hosts(hosts: Vec<HostCompleteness>) -> Completeness {
        Completeness { hosts }
    }

    pub fn host(&self, host: u32) -> &HostCompleteness {
        &self.hosts[host as usize]
    }

    /// Whether all came that any host has of a log.
    pub fn is_whole(&self, log: u16) -> bool {
        (0..self.hosts.len()).all(|host| self.is_whole_on(host as u32, log))
    }

    /// Whether all came that one host has of a log. Hosts and logs that do not exist have nothing to lose.
    pub fn is_whole_on(&self, host: u32, log: u16) -> bool {
        self.loss_on(host, log) == Loss::None
    }

    pub fn is_all_whole(&self) -> bool {
        self.hosts.iter().all(|host| host.is_whole)
    }

    /// The share of hosts that are whole.
    pub fn share(&self) -> OwnedValue {
        let whole = self.hosts.iter().filter(|host| host.is_whole).count();
        match self.hosts.len() {
            0 => OwnedValue::Int(1),
            hosts => OwnedValue::float(whole as f64 / hosts as f64),
        }
    }

    /// The worst that was lost of a log, over all hosts.
    pub fn loss(&self, log: u16) -> Loss {
        let hosts = 0..self.hosts.len() as u32;
        let losses = hosts.map(|host| self.loss_on(host, log));
        losses.max().unwrap_or(Loss::None)
    }

    fn loss_on(&self, host: u32, log: u16) -> Loss {
        let host = self.hosts.get(host as usize);
        let log = host.and_then(|host| host.losses.get(usize::from(log)));
        log.copied().unwrap_or(Loss::None)
    }
}

fn of_host(spool: &Spool, host: u32) -> Result<HostCompleteness, Error> {
    let head = &spool.head.hosts[host as usize];
    let spooled = &spool.hosts[host as usize];
    let tallies = tallies(spool, host)?;
    let is_ok = spooled
        .report
        .as_ref()
        .is_some_and(|report| report.state == HostState::Ok);
    let logs = 0..spool.head.plan.logs.len() as u16;
    let lost = |log: u16| match is_ok || !head.logs.contains(&log) {
        true => Loss::None,
        false => Loss::Streams,
    };
    let mut losses: Vec<Loss> = logs.map(lost).collect();
    let mut lose = |log: u16, loss: Loss| {
        if let Some(worst) = losses.get_mut(usize::from(log)) {
            *worst = loss.max(*worst);
        }
    };
    if let Some(manifest) = &spooled.manifest {
        for (log, finding) in &manifest.findings {
            if finding.kind.is_loss() {
                lose(*log, Loss::Files);
            }
        }
        for (stream, (planned, tally)) in manifest.streams.iter().zip(&tallies).enumerate() {
            let log = planned.stream.log;
            let parts = &spooled.parts;
            let has_part = parts
                .iter()
                .any(|part| part.range.stream as usize == stream);
            if has_part && !is_ok {
                lose(log, Loss::Segments);
            }
            if !is_in(spooled, stream, planned.cuts.len()) {
                lose(
                    log,
                    if has_part {
                        Loss::Segments
                    } else {
                        Loss::Streams
                    },
                );
            }
            let files = tally.files.values();
            let mut findings = files.flat_map(|file| &file.findings);
            if findings.any(|finding| finding.kind.is_loss()) {
                lose(log, Loss::Files);
            }
        }
    }
    Ok(HostCompleteness {
        tallies,
        is_whole: is_ok && losses.iter().all(|loss| *loss == Loss::None),
        losses,
    })
}

/// Whether every segment of a stream is in.
pub fn is_in(spooled: &SpooledHost, stream: usize, segments: usize) -> bool {
    let parts = spooled
        .parts
        .iter()
        .filter(|part| part.range.stream as usize == stream);
    parts
        .map(|part| (part.range.end - part.range.first) as usize)
        .sum::<usize>()
        == segments
}

fn tallies(spool: &Spool, host: u32) -> Result<Vec<StreamTally>, Error> {
    let spooled = &spool.hosts[host as usize];
    let streams = spooled
        .manifest
        .as_ref()
        .map_or(0, |manifest| manifest.streams.len());
    let mut tallies: Vec<StreamTally> = (0..streams).map(|_| StreamTally::default()).collect();
    for part in &spooled.parts {
        let whole = spool.part(host, part)?;
        let tally: StreamTally =
            frame::from_bytes(&whole.tally.0).map_err(|error| Error::Frame {
                what: spool.head.hosts[host as usize].name.clone(),
                error,
            })?;
        if let Some(stream) = tallies.get_mut(part.range.stream as usize) {
            *stream = std::mem::take(stream).merge(tally);
        }
    }
    Ok(tallies)
}
