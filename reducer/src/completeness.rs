//! What of a run came: every host's tallies, and whether a log is whole on it. Rows ask before they are finished, for
//! their certainty; the summary says it.

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
    /// By log of the plan: whether all that the host has of it is in. True of a log that it does not hold.
    pub logs: Vec<bool>,
}

impl Completeness {
    pub fn of(spool: &Spool) -> Result<Completeness, Error> {
        let hosts = (0..spool.hosts.len()).map(|host| of_host(spool, host as u32));
        Ok(Completeness {
            hosts: hosts.collect::<Result<_, _>>()?,
        })
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
        let host = self.hosts.get(host as usize);
        let log = host.and_then(|host| host.logs.get(usize::from(log)));
        log.copied().unwrap_or(true)
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
    let mut logs: Vec<bool> = logs.map(|log| is_ok || !head.logs.contains(&log)).collect();
    let mut lose = |log: u16| {
        if let Some(whole) = logs.get_mut(usize::from(log)) {
            *whole = false;
        }
    };
    if let Some(manifest) = &spooled.manifest {
        for (log, finding) in &manifest.findings {
            if finding.kind.is_loss() {
                lose(*log);
            }
        }
        for (stream, (planned, tally)) in manifest.streams.iter().zip(&tallies).enumerate() {
            let files = tally.files.values();
            let mut findings = files.flat_map(|file| &file.findings);
            if !is_in(spooled, stream, planned.cuts.len())
                || findings.any(|finding| finding.kind.is_loss())
            {
                lose(planned.stream.log);
            }
        }
    }
    Ok(HostCompleteness { tallies, logs })
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
