//! Which segments are in: whole or not at all, each once. What is in, a retry may skip.

use std::collections::BTreeMap;

use mapper::message::{Manifest, SegmentRange};

use crate::Error;
use crate::arrival::Origin;
use crate::spool::Spool;

/// The segments of every host of a run.
#[derive(Debug)]
pub struct Ledger {
    hosts: Vec<HostLedger>,
}

#[derive(Debug, Default)]
struct HostLedger {
    manifest: Option<Manifest>,
    /// (stream, first) to end: ranges that do not overlap.
    committed: BTreeMap<(u32, u32), u32>,
}

impl Ledger {
    pub fn new(hosts: usize) -> Ledger {
        Ledger {
            hosts: (0..hosts).map(|_| HostLedger::default()).collect(),
        }
    }

    /// What a run that was stopped has left: its manifests and parts are as good as if they had come just now.
    pub fn of(spool: &Spool) -> Result<Ledger, Error> {
        let mut ledger = Ledger::new(spool.hosts.len());
        for (host, spooled) in spool.hosts.iter().enumerate() {
            let name = &spool.head.hosts[host].name;
            let wrong = |error: String| Error::Other(format!("{name}: the spool holds {error}"));
            let host = host as u32;
            if let Some(manifest) = &spooled.manifest {
                ledger.set_manifest(host, manifest.clone()).map_err(wrong)?;
            }
            for part in &spooled.parts {
                ledger.commit(host, part.range).map_err(wrong)?;
            }
        }
        Ok(ledger)
    }

    /// The first attempt's manifest is every attempt's.
    pub fn set_manifest(&mut self, host: u32, manifest: Manifest) -> Result<(), String> {
        let host = self.host(host)?;
        if host.manifest.is_some() {
            return Err("a second manifest".to_owned());
        }
        host.manifest = Some(manifest);
        Ok(())
    }

    pub fn manifest(&self, host: u32) -> Option<&Manifest> {
        self.hosts.get(host as usize)?.manifest.as_ref()
    }

    /// Takes the range in; false where all of it is in already (a replay). A range that is not the manifest's, or
    /// overlaps what is in, is refused.
    pub fn commit(&mut self, host: u32, range: SegmentRange) -> Result<bool, String> {
        let host = self.host(host)?;
        let Some(manifest) = &host.manifest else {
            return Err("a part before the manifest".to_owned());
        };
        let cuts = manifest
            .streams
            .get(range.stream as usize)
            .map_or(0, |stream| stream.cuts.len());
        if range.first >= range.end || range.end as usize > cuts {
            return Err(format!(
                "a part of segments {} to {} of stream {}, which has {cuts}",
                range.first, range.end, range.stream
            ));
        }
        let before = host
            .committed
            .range(..(range.stream, range.end))
            .next_back();
        if let Some((&(stream, first), &end)) = before
            && stream == range.stream
            && end > range.first
        {
            if first <= range.first && range.end <= end {
                return Ok(false);
            }
            return Err(format!(
                "a part of segments {} to {}, partly in already",
                range.first, range.end
            ));
        }
        host.committed
            .insert((range.stream, range.first), range.end);
        Ok(true)
    }

    /// Where the segments of a stream lie; None before the manifest, or where it has no such stream.
    pub fn origin(&self, host: u32, stream: u32) -> Option<Origin> {
        Origin::of(host, self.manifest(host)?, stream)
    }

    pub fn committed(&self, host: u32) -> Vec<SegmentRange> {
        let host = &self.hosts[host as usize];
        host.committed
            .iter()
            .map(|(&(stream, first), &end)| SegmentRange { stream, first, end })
            .collect()
    }

    /// Segments of the host's manifest that are not in; None without a manifest.
    pub fn missing(&self, host: u32) -> Option<usize> {
        let host = self.hosts.get(host as usize)?;
        let all: usize = host
            .manifest
            .as_ref()?
            .streams
            .iter()
            .map(|stream| stream.cuts.len())
            .sum();
        let committed: usize = host
            .committed
            .iter()
            .map(|(&(_, first), &end)| (end - first) as usize)
            .sum();
        Some(all - committed)
    }

    fn host(&mut self, host: u32) -> Result<&mut HostLedger, String> {
        self.hosts
            .get_mut(host as usize)
            .ok_or_else(|| format!("host {host} of a job that has fewer"))
    }
}
