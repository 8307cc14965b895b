//! A file's bytes for the reader of lines; of a compressed file they may be decoded ahead, by a thread of its own.
//!
//! Where there are fewer segments than threads, one thread would decode and scan in turn while others have nothing to
//! do. Where a thread is to spare it decodes instead, a few blocks ahead: never more than `threads` are at work.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::open::Content;
use crate::tally::Finding;

const BLOCK_BYTES: usize = 512 << 10;
/// Blocks that wait to be scanned.
const BLOCKS: usize = 4;

/// Threads that have nothing to scan.
#[derive(Debug, Default)]
pub struct Spare {
    threads: AtomicUsize,
}

impl Spare {
    /// As many as are not needed for so many segments.
    pub fn new(threads: usize, segments: usize) -> Spare {
        Spare {
            threads: AtomicUsize::new(threads.saturating_sub(segments)),
        }
    }

    /// One thread more has nothing to do.
    pub fn give(&self) {
        self.threads.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self) -> bool {
        let one_less = |threads: usize| threads.checked_sub(1);
        self.threads
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
            .is_ok()
    }
}

pub(super) enum Bytes<'a> {
    Here(Content),
    Ahead(Ahead<'a>),
}

/// What another thread decodes.
pub(super) struct Ahead<'a> {
    blocks: Receiver<Block>,
    /// Blocks that are read go back to be filled again.
    spent: SyncSender<Vec<u8>>,
    block: Block,
    at: usize,
    disk_bytes: u64,
    spare: &'a Spare,
}

#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    /// Read from disk for it.
    disk_bytes: u64,
    /// The last one, or the last before something that is damaged.
    end: Option<End>,
}

struct End {
    finding: Option<Finding>,
    is_whole: bool,
    next_start: Option<u64>,
}

impl<'a> Bytes<'a> {
    pub(super) fn new(content: Content, spare: Option<&'a Spare>) -> Bytes<'a> {
        match spare.filter(|spare| content.is_decoded() && spare.take()) {
            Some(spare) => Bytes::Ahead(Ahead::new(content, spare)),
            None => Bytes::Here(content),
        }
    }

    /// Fills a part of `to`; 0 is the end of what can be read, or the beginning of what is damaged.
    pub(super) fn read(&mut self, to: &mut [u8]) -> usize {
        match self {
            Bytes::Here(content) => content.read(to),
            Bytes::Ahead(ahead) => ahead.read(to),
        }
    }

    /// Bytes read from disk since this was last asked.
    pub(super) fn take_disk_bytes(&mut self) -> u64 {
        match self {
            Bytes::Here(content) => content.take_disk_bytes(),
            Bytes::Ahead(ahead) => std::mem::take(&mut ahead.disk_bytes),
        }
    }

    /// Known once `read` gave 0.
    pub(super) fn finding(&self) -> Option<&Finding> {
        match self {
            Bytes::Here(content) => content.finding(),
            Bytes::Ahead(ahead) => ahead.block.end.as_ref()?.finding.as_ref(),
        }
    }

    /// Known once `read` gave 0.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Bytes::Here(content) => content.is_whole(),
            Bytes::Ahead(ahead) => ahead.block.end.as_ref().is_some_and(|end| end.is_whole),
        }
    }

    /// Where reading can go on behind something that is damaged; known once `read` gave 0.
    pub(super) fn next_start(&self) -> Option<u64> {
        match self {
            Bytes::Here(content) => content.next_start(),
            Bytes::Ahead(ahead) => ahead.block.end.as_ref()?.next_start,
        }
    }

    /// Goes on there.
    pub(super) fn go_on(&mut self) {
        match self {
            Bytes::Here(content) => content.go_on(),
            // The other thread has gone on already.
            Bytes::Ahead(ahead) => ahead.block.end = None,
        }
    }
}

impl<'a> Ahead<'a> {
    fn new(content: Content, spare: &'a Spare) -> Ahead<'a> {
        let (full, blocks) = sync_channel(BLOCKS);
        let (spent, empty) = sync_channel(BLOCKS + 1);
        std::thread::spawn(move || decode(content, &full, &empty));
        Ahead {
            blocks,
            spent,
            block: Block::default(),
            at: 0,
            disk_bytes: 0,
            spare,
        }
    }

    fn read(&mut self, to: &mut [u8]) -> usize {
        while self.at == self.block.bytes.len() {
            if self.block.end.is_some() {
                return 0;
            }
            let Ok(next) = self.blocks.recv() else {
                return 0;
            };
            let spent = std::mem::replace(&mut self.block, next);
            // Nobody takes it where the file is decoded to its end.
            let _ = self.spent.try_send(spent.bytes);
            self.disk_bytes += self.block.disk_bytes;
            self.at = 0;
        }
        let rest = &self.block.bytes[self.at..];
        let count = rest.len().min(to.len());
        to[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        count
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        // The other thread ends with the block that it is at.
        self.spare.give();
    }
}

fn decode(mut content: Content, full: &SyncSender<Block>, empty: &Receiver<Vec<u8>>) {
    loop {
        let mut bytes = empty.try_recv().unwrap_or_default();
        bytes.resize(BLOCK_BYTES, 0);
        let mut length = 0;
        let mut end = None;
        while length < bytes.len() && end.is_none() {
            match content.read(&mut bytes[length..]) {
                0 => {
                    end = Some(End {
                        finding: content.finding().cloned(),
                        is_whole: content.is_whole(),
                        next_start: content.next_start(),
                    });
                }
                count => length += count,
            }
        }
        bytes.truncate(length);
        let is_gap = end.as_ref().is_some_and(|end| end.next_start.is_some());
        let is_end = end.is_some() && !is_gap;
        let block = Block {
            bytes,
            disk_bytes: content.take_disk_bytes(),
            end,
        };
        if full.send(block).is_err() || is_end {
            return;
        }
        if is_gap {
            content.go_on();
        }
    }
}
