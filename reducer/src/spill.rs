//! Sorted runs on disk and back, in pieces: what a part was spooled as, and what does not fit into memory.
//!
//! A run is records sorted by key (see `mapper::operator::Run`), cut into checked and compressed chunks without regard
//! to where a record ends. A cursor holds one chunk and one record of a run at a time.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mapper::chunks::{self, CHUNK_BYTES, KIND_CHUNK};
use mapper::frame::{FrameError, HEADER_BYTES, Header};
use mapper::operator::{RECORD_HEADER_BYTES, append_record, record_lengths};

use crate::Error;

/// A budget that is small makes chunks smaller, down to this.
const LEAST_CHUNK_BYTES: usize = 1 << 10;

/// A file that runs lie in.
#[derive(Debug)]
pub struct RunFile {
    path: PathBuf,
    /// None: opened for each chunk, where there are more files than may be open.
    file: Option<File>,
}

impl RunFile {
    pub fn new(path: PathBuf, file: Option<File>) -> RunFile {
        RunFile { path, file }
    }

    /// The frame at this place, which ends before `end`: what it unpacks to, and where the next one begins.
    fn chunk(&self, offset: u64, end: u64) -> Result<(Vec<u8>, u64), Error> {
        let opened;
        let file = match &self.file {
            Some(file) => file,
            None => {
                opened = File::open(&self.path).map_err(Error::io(&self.path))?;
                &opened
            }
        };
        let broken = |error| Error::Frame {
            what: self.path.display().to_string(),
            error,
        };
        let start = offset + HEADER_BYTES as u64;
        if start > end {
            return Err(broken(FrameError::Torn));
        }
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, offset)
            .map_err(Error::io(&self.path))?;
        let header = Header::read(&header).map_err(broken)?;
        if header.kind != KIND_CHUNK {
            return Err(broken(FrameError::Kind(header.kind)));
        }
        let next = start + header.length as u64;
        if next > end {
            return Err(broken(FrameError::Torn));
        }
        let mut payload = vec![0; header.length];
        file.read_exact_at(&mut payload, start)
            .map_err(Error::io(&self.path))?;
        Ok((header.unpack(&payload).map_err(broken)?, next))
    }
}

/// A sorted run, wherever it lies.
#[derive(Clone, Debug)]
pub struct Run {
    place: Place,
    /// Bytes of its records.
    pub raw_bytes: u64,
}

#[derive(Clone, Debug)]
enum Place {
    /// From `start` up to but not including `end`.
    File {
        file: Arc<RunFile>,
        start: u64,
        end: u64,
        chunk_bytes: usize,
    },
    Memory(Vec<u8>),
}

impl Run {
    /// What a host has sent: chunks of a file, in a row.
    pub fn of_host(file: Arc<RunFile>, start: u64, end: u64, raw_bytes: u64) -> Run {
        Run {
            place: Place::File {
                file,
                start,
                end,
                chunk_bytes: CHUNK_BYTES,
            },
            raw_bytes,
        }
    }

    pub fn of_bytes(records: Vec<u8>) -> Run {
        Run {
            raw_bytes: records.len() as u64,
            place: Place::Memory(records),
        }
    }

    /// About so many bytes of memory, while it is read.
    pub fn cost(&self) -> u64 {
        let cursor = size_of::<Cursor>() as u64 + 128;
        match &self.place {
            // The chunk as it is packed, and as it is not.
            Place::File { chunk_bytes, .. } => cursor + 2 * self.raw_bytes.min(*chunk_bytes as u64),
            Place::Memory(bytes) => cursor + bytes.len() as u64,
        }
    }

    fn name(&self) -> String {
        match &self.place {
            Place::File { file, .. } => file.path.display().to_string(),
            Place::Memory(_) => "a run in memory".to_owned(),
        }
    }
}

/// Reads a run, record after record.
#[derive(Debug)]
pub struct Cursor {
    run: Run,
    /// Where the next chunk begins, and how many bytes of records are there from it on.
    next_chunk: u64,
    bytes_to_come: u64,
    buffer: Vec<u8>,
    /// The record in `buffer`: where it begins, where its value does, where that ends.
    start: usize,
    value: usize,
    end: usize,
    /// The key before this one, where what was read since has taken its place.
    last_key: Vec<u8>,
    began: bool,
}

impl Cursor {
    /// Stands before the first record.
    pub fn new(mut run: Run) -> Cursor {
        let (buffer, next_chunk, bytes_to_come) = match &mut run.place {
            Place::File { start, .. } => (Vec::new(), *start, run.raw_bytes),
            Place::Memory(bytes) => (std::mem::take(bytes), 0, 0),
        };
        Cursor {
            run,
            next_chunk,
            bytes_to_come,
            buffer,
            start: 0,
            value: 0,
            end: 0,
            last_key: Vec::new(),
            began: false,
        }
    }

    pub fn key(&self) -> &[u8] {
        &self.buffer[self.key_range()]
    }

    fn key_range(&self) -> Range<usize> {
        (self.start + RECORD_HEADER_BYTES).min(self.value)..self.value
    }

    pub fn value(&self) -> &[u8] {
        &self.buffer[self.value..self.end]
    }

    /// The file of the run, for messages.
    pub fn name(&self) -> String {
        self.run.name()
    }

    /// Goes on to the next record; false at the end.
    pub fn advance(&mut self) -> Result<bool, Error> {
        let before = self.key_range();
        let stays = self.has_next();
        if !stays {
            self.last_key.clear();
            self.last_key
                .extend_from_slice(&self.buffer[before.clone()]);
        }
        self.start = self.end;
        self.value = self.end;
        if self.left() == 0 {
            return Ok(false);
        }
        self.fill(RECORD_HEADER_BYTES)?;
        let header = self.buffer[self.start..].first_chunk();
        let (key_length, value_length) = record_lengths(header.expect("it has been filled"));
        self.fill(RECORD_HEADER_BYTES + key_length + value_length)?;
        self.value = self.start + RECORD_HEADER_BYTES + key_length;
        self.end = self.value + value_length;
        let last_key = match stays {
            true => &self.buffer[before],
            false => &self.last_key[..],
        };
        if self.began && self.key() <= last_key {
            return Err(Error::Other(format!(
                "{}: a run that is not sorted",
                self.name()
            )));
        }
        self.began = true;
        Ok(true)
    }

    /// Whether all of the next record has been read.
    fn has_next(&self) -> bool {
        let next = &self.buffer[self.end..];
        next.first_chunk().is_some_and(|header| {
            let (key_length, value_length) = record_lengths(header);
            next.len() >= RECORD_HEADER_BYTES + key_length + value_length
        })
    }

    /// Bytes from `start` on, read or not.
    fn left(&self) -> u64 {
        (self.buffer.len() - self.start) as u64 + self.bytes_to_come
    }

    /// Reads until so many bytes from `start` on are there. A length that somebody claims is not believed before the
    /// bytes are known to be there.
    fn fill(&mut self, length: usize) -> Result<(), Error> {
        if self.left() < length as u64 {
            return Err(Error::Frame {
                what: self.name(),
                error: FrameError::Torn,
            });
        }
        while self.buffer.len() - self.start < length {
            let Place::File { file, end, .. } = &self.run.place else {
                unreachable!("a run in memory is all there");
            };
            let (chunk, next) = file.chunk(self.next_chunk, *end)?;
            self.next_chunk = next;
            self.bytes_to_come = self
                .bytes_to_come
                .checked_sub(chunk.len() as u64)
                .filter(|_| !chunk.is_empty())
                .ok_or_else(|| Error::Frame {
                    what: self.name(),
                    error: FrameError::Length(chunk.len()),
                })?;
            if self.start == self.buffer.len() {
                self.buffer = chunk;
            } else {
                self.buffer.drain(..self.start);
                // The room of a record that was large is given back.
                if self.buffer.capacity() > 4 * CHUNK_BYTES.max(length) {
                    self.buffer.shrink_to(CHUNK_BYTES.max(length));
                }
                self.buffer.extend_from_slice(&chunk);
            }
            (self.value, self.end) = (0, 0);
            self.start = 0;
        }
        Ok(())
    }
}

/// Where runs go that do not fit into memory: a file of its own, made when the first one comes, removed at the end.
#[derive(Debug)]
pub struct Spill {
    path: PathBuf,
    file: Option<Arc<RunFile>>,
    end: u64,
    chunk_bytes: usize,
    runs: u64,
}

impl Spill {
    /// A spill of who has so much memory.
    pub fn new(path: PathBuf, memory_bytes: u64) -> Spill {
        let chunk_bytes = usize::try_from(memory_bytes / 16).unwrap_or(usize::MAX);
        Spill {
            path,
            file: None,
            end: 0,
            chunk_bytes: chunk_bytes.clamp(LEAST_CHUNK_BYTES, CHUNK_BYTES),
            runs: 0,
        }
    }

    pub fn bytes(&self) -> u64 {
        self.end
    }

    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Begins a run; one at a time.
    pub fn begin(&mut self) -> Result<RunWriter<'_>, Error> {
        let file = match &self.file {
            Some(file) => file.clone(),
            None => {
                let file = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&self.path)
                    .map_err(Error::io(&self.path))?;
                let file = Arc::new(RunFile::new(self.path.clone(), Some(file)));
                self.file.insert(file).clone()
            }
        };
        Ok(RunWriter {
            start: self.end,
            spill: self,
            file,
            raw_bytes: 0,
            records: Vec::new(),
            packed: Vec::new(),
        })
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if self.file.is_some()
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            log::warn!("{}: {error}", self.path.display());
        }
    }
}

/// A run on its way to disk.
pub struct RunWriter<'a> {
    spill: &'a mut Spill,
    file: Arc<RunFile>,
    start: u64,
    raw_bytes: u64,
    records: Vec<u8>,
    packed: Vec<u8>,
}

impl RunWriter<'_> {
    /// The next record; its key comes after all before it.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        append_record(key, value, &mut self.records);
        if self.records.len() >= self.spill.chunk_bytes {
            self.write()?;
        }
        Ok(())
    }

    pub fn end(mut self) -> Result<Run, Error> {
        self.write()?;
        self.spill.runs += 1;
        Ok(Run {
            place: Place::File {
                file: self.file,
                start: self.start,
                end: self.spill.end,
                chunk_bytes: self.spill.chunk_bytes,
            },
            raw_bytes: self.raw_bytes,
        })
    }

    fn write(&mut self) -> Result<(), Error> {
        self.packed.clear();
        chunks::append(&self.records, self.spill.chunk_bytes, &mut self.packed);
        self.raw_bytes += self.records.len() as u64;
        self.records.clear();
        let file = self.file.file.as_ref().expect("a spill's file is open");
        file.write_all_at(&self.packed, self.spill.end)
            .map_err(Error::io(&self.spill.path))?;
        self.spill.end += self.packed.len() as u64;
        Ok(())
    }
}

/// A place for the spill of one operator.
pub fn path(folder: &Path, operator: usize) -> PathBuf {
    folder.join(format!(".spill-{operator}"))
}

#[cfg(test)]
mod tests;
