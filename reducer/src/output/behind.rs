//! A file that is written by a thread of its own, so that rows are made while the kernel copies those before them.

use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rustix::fs::{Advice, fadvise};

const BLOCK_BYTES: usize = 1 << 20;

/// Blocks that wait to be written, beside the one that is.
const WAITING: usize = 2;

pub struct Behind {
    block: Vec<u8>,
    full: SyncSender<Vec<u8>>,
    /// Blocks that were written, to be filled again.
    free: Receiver<Vec<u8>>,
    /// None once it has failed.
    writer: Option<JoinHandle<io::Result<File>>>,
}

impl Behind {
    pub fn create(path: &Path) -> io::Result<Behind> {
        let file = File::create(path)?;
        let (full, to_write) = sync_channel::<Vec<u8>>(WAITING);
        let (written, free) = sync_channel(WAITING + 1);
        let write = move || {
            let mut file = file;
            let mut end = 0;
            for mut block in to_write {
                file.write_all(&block)?;
                // The kernel begins to write what it holds of it, so that little is left when it is synced. It drops what is
                // on disk already, which of bytes as new as these is next to nothing. Advice that fails is none.
                let length = block.len() as u64;
                let _ = fadvise(&file, end, NonZeroU64::new(length), Advice::DontNeed);
                end += length;
                block.clear();
                // Where nobody fills it any more, it goes.
                let _ = written.try_send(block);
            }
            Ok(file)
        };
        Ok(Behind {
            block: Vec::new(),
            full,
            free,
            writer: Some(std::thread::Builder::new().spawn(write)?),
        })
    }

    /// An error may be that of bytes that were given before, and `end` has it then.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.block.extend_from_slice(bytes);
        if self.block.len() >= BLOCK_BYTES {
            let next = self.free.try_recv().unwrap_or_default();
            let block = std::mem::replace(&mut self.block, next);
            if self.full.send(block).is_err() {
                return match joined(self.writer.take()) {
                    Err(error) => Err(error),
                    Ok(_) => unreachable!("it ends well only when nobody can send any more"),
                };
            }
        }
        Ok(())
    }

    /// All of it is on disk.
    pub fn end(self) -> io::Result<()> {
        let Behind {
            block,
            full,
            writer,
            ..
        } = self;
        // Where the writer has gone, it says why below.
        let _ = full.send(block);
        drop(full);
        joined(writer)?.sync_all()
    }
}

fn joined(writer: Option<JoinHandle<io::Result<File>>>) -> io::Result<File> {
    let writer = writer.ok_or(io::ErrorKind::BrokenPipe)?;
    let ended = writer.join();
    ended.unwrap_or_else(|_| Err(io::Error::other("the thread that writes has panicked")))
}
