//! What a host sends, held against what it may send, before it is committed: its own logs, its own places, partials of
//! the plan's operators, figures that add up. A host that sends anything else has lied or is broken, and that is its own
//! failure alone; a spool holds nothing that has not passed here.

use jobspec::plan::Plan;
use mapper::chunks;
use mapper::entry::Place;
use mapper::frame::{self, MESSAGE_BYTES};
use mapper::message::{Manifest, Part};
use mapper::operator::{AnyOperator, AnyPartial, RECORD_HEADER_BYTES, record_lengths};
use mapper::tally::{FileTally, StreamTally};

use crate::Error;

/// Bytes of logs that a host may claim, and of anything that is counted.
const MOST: u64 = 1 << 56;

/// Bytes of a path, or of a text that explains something.
const TEXT_BYTES: usize = 64 << 10;

/// The operators of a plan, to judge by.
pub struct Arrivals {
    logs: usize,
    operators: Vec<AnyOperator>,
}

/// Where the segments of a part lie, as the host's manifest has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub host: u32,
    pub log: u16,
    pub stream: u32,
    pub files: u32,
}

impl Origin {
    /// None where the manifest has no such stream.
    pub fn of(host: u32, manifest: &Manifest, stream: u32) -> Option<Origin> {
        let planned = manifest.streams.get(stream as usize)?;
        Some(Origin {
            host,
            log: planned.stream.log,
            stream,
            files: planned.stream.files.len() as u32,
        })
    }

    fn holds(&self, place: &Place) -> bool {
        (place.host, place.log, place.stream) == (self.host, self.log, self.stream)
            && place.file < self.files
    }
}

impl Arrivals {
    pub fn new(plan: &Plan) -> Result<Arrivals, Error> {
        let operators = plan.operators.iter();
        let operators = operators.map(|operator| AnyOperator::new(plan, operator));
        Ok(Arrivals {
            logs: plan.logs.len(),
            operators: operators.collect::<Result<_, _>>().map_err(Error::Other)?,
        })
    }

    /// Whether a manifest can be one of a host that holds these logs.
    pub fn manifest(&self, logs: &[u16], manifest: &Manifest) -> Result<(), String> {
        let is_held = |log: u16| logs.contains(&log) && usize::from(log) < self.logs;
        let mut bytes = 0_u64;
        for planned in &manifest.streams {
            let stream = &planned.stream;
            if !is_held(stream.log) {
                return Err("a manifest with a log that is not its own".to_owned());
            }
            let files = stream.files.len();
            if planned
                .pruned
                .iter()
                .any(|part| part.file as usize >= files)
            {
                return Err("a manifest that skips a file it does not have".to_owned());
            }
            for file in &stream.files {
                bytes = bytes.saturating_add(file.size);
                if file.path.len() > TEXT_BYTES {
                    return Err("a manifest with an endless path".to_owned());
                }
            }
            if planned.format.len() > TEXT_BYTES || planned.why.len() > TEXT_BYTES {
                return Err("a manifest with an endless text".to_owned());
            }
        }
        let key = |index: usize| {
            let stream = &manifest.streams[index].stream;
            (stream.log, &stream.name)
        };
        if (1..manifest.streams.len()).any(|index| key(index - 1) >= key(index)) {
            return Err("a manifest whose streams are not in order".to_owned());
        }
        if bytes > MOST {
            return Err(format!("a manifest of {bytes} bytes of logs"));
        }
        for (log, finding) in &manifest.findings {
            if !is_held(*log) {
                return Err("a finding about a log that is not its own".to_owned());
            }
            if finding.path.len() > TEXT_BYTES || finding.detail.len() > TEXT_BYTES {
                return Err("a finding with an endless text".to_owned());
            }
        }
        Ok(())
    }

    /// Whether a part can be of segments that lie there.
    pub fn part(&self, origin: Origin, part: &Part) -> Result<(), String> {
        if part.partials.len() != self.operators.len() {
            return Err(format!(
                "{} partials for {} operators",
                part.partials.len(),
                self.operators.len()
            ));
        }
        for (operator, partial) in self.operators.iter().zip(&part.partials) {
            let core: AnyPartial = frame::from_bytes(&partial.core.0)
                .map_err(|error| format!("a partial that is none: {error}"))?;
            if !operator.accepts(&core) {
                return Err("a partial of another operator".to_owned());
            }
            let mut is_own = true;
            operator.places(&core, &mut |place| is_own &= origin.holds(place));
            if !is_own {
                return Err("a partial that claims entries of another host or stream".to_owned());
            }
            check_run(operator, &partial.run.0, origin)?;
        }
        let tally: StreamTally = frame::from_bytes(&part.tally.0)
            .map_err(|error| format!("a tally that is none: {error}"))?;
        check_tally(&tally, origin)
    }
}

/// Records whose lengths are theirs, keys rising, places the host's own.
fn check_run(operator: &AnyOperator, packed: &[u8], origin: Origin) -> Result<(), String> {
    let raw_bytes = chunks::raw_bytes(packed).map_err(|error| format!("a run: {error}"))?;
    if raw_bytes > MESSAGE_BYTES as u64 {
        return Err(format!("a run of {raw_bytes} bytes"));
    }
    let mut last: Option<Vec<u8>> = None;
    // From the record on that is not whole yet.
    let mut bytes = Vec::new();
    for chunk in chunks::unpack(packed) {
        let chunk = chunk.map_err(|error| format!("a run: {error}"))?;
        bytes.extend_from_slice(&chunk);
        let mut rest = &bytes[..];
        while let Some((key, value, after)) = first_record(rest) {
            if last.as_deref().is_some_and(|last| last >= key) {
                return Err("a run that is not in order".to_owned());
            }
            let mut is_own = true;
            let visit = &mut |place: &Place| is_own &= origin.holds(place);
            operator
                .check_record(key, value, visit)
                .map_err(|mismatch| mismatch.to_string())?;
            if !is_own {
                return Err("a record that claims entries of another host or stream".to_owned());
            }
            let last = last.get_or_insert_default();
            last.clear();
            last.extend_from_slice(key);
            rest = after;
        }
        let used = bytes.len() - rest.len();
        bytes.drain(..used);
    }
    match bytes.is_empty() {
        true => Ok(()),
        false => Err("a run that is torn".to_owned()),
    }
}

/// Key and value of the first record, and what follows it; None where it is not whole.
fn first_record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<RECORD_HEADER_BYTES>()?;
    let (key_length, value_length) = record_lengths(header);
    let (record, rest) = rest.split_at_checked(key_length.checked_add(value_length)?)?;
    let (key, value) = record.split_at(key_length);
    Some((key, value, rest))
}

fn check_tally(tally: &StreamTally, origin: Origin) -> Result<(), String> {
    for (file, tally) in &tally.files {
        if *file >= origin.files {
            return Err("a tally of a file that it does not have".to_owned());
        }
        let FileTally {
            bytes,
            lines,
            entries,
            malformed,
            unparsed,
            continuation,
            blank,
            header,
            outside,
            cut,
            untimed,
            ..
        } = *tally;
        let counts = [
            bytes,
            lines,
            entries,
            malformed,
            unparsed,
            continuation,
            blank,
            header,
            outside,
            cut,
            untimed,
        ];
        let fitted = tally.formats.values().copied();
        if counts.into_iter().chain(fitted).any(|count| count > MOST)
            || malformed.saturating_add(unparsed) > entries
        {
            return Err("a tally that does not add up".to_owned());
        }
        let findings = tally.findings.iter();
        let mut texts = findings.map(|finding| finding.path.len().max(finding.detail.len()));
        if texts.any(|bytes| bytes > TEXT_BYTES) {
            return Err("a finding with an endless text".to_owned());
        }
    }
    Ok(())
}
