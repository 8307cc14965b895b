//! A file's bytes through a memory map, copied out so that nothing else ever sees the map; all unsafe code is here.
//!
//! A page of a map that its file has lost raises SIGBUS in whoever touches it, and the default action ends the process.
//! The handler here maps zeros over the rest of such a map and notes from where on; the reader looks at that note after
//! every copy and goes on with plain reads, which say what is the matter. Any other SIGBUS gets the default action.
#![allow(unsafe_code)]

use std::fs::File;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering, compiler_fence};

use memmap2::{MmapOptions, MmapRaw};

/// Maps at a time; beyond, files are read.
const MOST_MAPS: usize = 256;

/// What the handler knows of a map. Its owner writes it, and reads `lost` back; the handler runs in the thread that
/// touched the map, so its owner is not elsewhere meanwhile.
struct Slot {
    /// First address; `FREE`, or `TAKEN` while `end` is not set yet.
    start: AtomicUsize,
    end: AtomicUsize,
    /// First address that zeros were mapped over; the greatest there is as long as none were.
    lost: AtomicUsize,
}

const FREE: usize = 0;
const TAKEN: usize = 1;

static SLOTS: [Slot; MOST_MAPS] = [const {
    Slot {
        start: AtomicUsize::new(FREE),
        end: AtomicUsize::new(0),
        lost: AtomicUsize::new(usize::MAX),
    }
}; MOST_MAPS];

static PAGE_BYTES: AtomicUsize = AtomicUsize::new(0);
static INSTALL: Once = Once::new();

pub(super) struct Map {
    bytes: MmapRaw,
    slot: &'static Slot,
}

impl Map {
    /// The first `size` bytes of a file; None where they cannot be mapped.
    pub(super) fn new(file: &File, size: u64) -> Option<Map> {
        let length = usize::try_from(size).ok().filter(|length| *length > 0)?;
        INSTALL.call_once(install);
        let page_bytes = PAGE_BYTES.load(Ordering::Relaxed);
        if page_bytes == 0 {
            return None;
        }
        let slot = SLOTS.iter().find(|slot| {
            let taken =
                slot.start
                    .compare_exchange(FREE, TAKEN, Ordering::AcqRel, Ordering::Relaxed);
            taken.is_ok()
        })?;
        let Ok(bytes) = MmapOptions::new().len(length).map_raw_read_only(file) else {
            slot.start.store(FREE, Ordering::Release);
            return None;
        };
        let start = bytes.as_ptr().addr();
        let end = start + length.next_multiple_of(page_bytes);
        slot.end.store(end, Ordering::Relaxed);
        slot.lost.store(usize::MAX, Ordering::Relaxed);
        slot.start.store(start, Ordering::Release);
        Some(Map { bytes, slot })
    }

    /// Copies bytes from an offset on; how many of them are the file's, as far as its lost pages tell. A file that ends
    /// inside a page reads as zeros up to the page's end: its length is the caller's to look at, afterwards.
    pub(super) fn copy(&self, to: &mut [u8], offset: u64) -> usize {
        let length = self.bytes.len();
        let offset = usize::try_from(offset).unwrap_or(length).min(length);
        let count = to.len().min(length - offset);
        // SAFETY: both ranges are inside their allocations, and a map and a slice from elsewhere do not overlap. The file
        // may change under the copy, by any process: so the map is read as bytes alone, by address, and no reference
        // to it is ever made; what was copied is checked by those who use it, as bytes from a disk are. Pages that the
        // file has lost are replaced by the handler, which knows this map until it is dropped.
        unsafe {
            ptr::copy_nonoverlapping(self.bytes.as_ptr().add(offset), to.as_mut_ptr(), count);
        }
        // The handler has run in this very thread, if it has.
        compiler_fence(Ordering::SeqCst);
        let lost = self.slot.lost.load(Ordering::Relaxed);
        let sound = lost.saturating_sub(self.bytes.as_ptr().addr().saturating_add(offset));
        count.min(sound)
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // Nobody reads from it any more; it is unmapped after this.
        self.slot.start.store(FREE, Ordering::Release);
    }
}

fn install() {
    // SAFETY: sysconf and sigaction are given valid arguments; a zeroed sigaction is one with an empty mask. The handler
    // uses nothing but atomics and system calls, so it may interrupt anything; it takes the place of the one that the
    // standard library sets up to name a stack overflow, which Linux reports by SIGSEGV.
    unsafe {
        let page_bytes = libc::sysconf(libc::_SC_PAGESIZE);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_bus_error as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        if libc::sigaction(libc::SIGBUS, &action, ptr::null_mut()) == 0 {
            PAGE_BYTES.store(usize::try_from(page_bytes).unwrap_or(0), Ordering::Relaxed);
        }
    }
}

extern "C" fn on_bus_error(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: the kernel gives a valid siginfo to a handler with SA_SIGINFO, with an address where the code says so.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr().addr()) };
    if code == libc::BUS_ADRERR && replace_lost_pages(address) {
        return;
    }
    // SAFETY: as in `install`. Once this returns, a fault repeats and finds the default action; a signal that somebody
    // sent does not, so it is sent again.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(libc::SIGBUS, &action, ptr::null_mut());
        if code <= 0 {
            libc::raise(signal);
        }
    }
}

/// Maps zeros over the rest of the map that holds the address, from its page on; false where there is none.
fn replace_lost_pages(address: usize) -> bool {
    let slot = SLOTS.iter().find(|slot| {
        let start = slot.start.load(Ordering::Acquire);
        start > TAKEN && (start..slot.end.load(Ordering::Relaxed)).contains(&address)
    });
    let Some(slot) = slot else {
        return false;
    };
    let page = address - address % PAGE_BYTES.load(Ordering::Relaxed).max(1);
    let length = slot.end.load(Ordering::Relaxed) - page;
    // SAFETY: the range lies inside a map that is ours and that the interrupted thread holds, so that nothing else can be
    // there; it is only ever read, and its zeros are never taken for the file's, since `lost` says where they begin.
    let mapped = unsafe {
        libc::mmap(
            ptr::without_provenance_mut(page),
            length,
            libc::PROT_READ,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
            -1,
            0,
        )
    };
    if mapped.addr() != page {
        return false;
    }
    slot.lost.fetch_min(page, Ordering::Relaxed);
    true
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::segment::oracle::Folder;

    const PAGES: usize = 10;

    fn text() -> Vec<u8> {
        (0..PAGES * 4096)
            .map(|index| b'a' + (index % 23) as u8)
            .collect()
    }

    fn truncate(path: &Path, size: u64) {
        let file = File::options().write(true).open(path).unwrap();
        file.set_len(size).unwrap();
    }

    #[test]
    fn lost_pages_are_told_from_those_that_are_there() {
        let folder = Folder::new();
        let path = folder.path().join("text");
        fs::write(&path, text()).unwrap();
        let file = File::open(&path).unwrap();
        let map = Map::new(&file, text().len() as u64).unwrap();
        let mut copied = vec![0; text().len() + 1];
        assert_eq!(map.copy(&mut copied, 0), text().len());
        assert!(copied[..text().len()] == text());
        assert_eq!(map.copy(&mut copied, u64::MAX), 0);
        truncate(&path, 4 * 4096);
        assert_eq!(map.copy(&mut copied, 100), 4 * 4096 - 100);
        assert!(copied[..4 * 4096 - 100] == text()[100..4 * 4096]);
        assert_eq!(map.copy(&mut copied, 5 * 4096), 0);
        // Once lost, always lost: zeros lie there now.
        fs::write(&path, text()).unwrap();
        assert_eq!(map.copy(&mut copied, 0), 4 * 4096);
    }

    #[test]
    fn maps_are_lost_in_many_threads_at_once() {
        let folder = Folder::new();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let path = folder.path().join(thread.to_string());
                scope.spawn(move || {
                    for round in 0..50 {
                        fs::write(&path, text()).unwrap();
                        let file = File::open(&path).unwrap();
                        let map = Map::new(&file, text().len() as u64).unwrap();
                        let pages = (thread + round) % PAGES;
                        truncate(&path, pages as u64 * 4096);
                        let mut copied = text();
                        assert_eq!(map.copy(&mut copied, 0), pages * 4096);
                        assert!(copied[..pages * 4096] == text()[..pages * 4096]);
                    }
                });
            }
        });
    }

    /// This test again, alone in a process of its own, told by the environment to be `which`.
    fn again(name: &str, which: &str) -> std::process::ExitStatus {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("open::map::tests::{name}")])
            .env(WHICH, which)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
    }

    const WHICH: &str = "LOGSTITCH_TEST_MAPS";

    #[test]
    fn more_maps_than_there_is_room_for_are_not_made() {
        if std::env::var_os(WHICH).is_none() {
            let status = again("more_maps_than_there_is_room_for_are_not_made", "all");
            assert!(status.success(), "{status}");
            return;
        }
        let file = File::open("/proc/self/exe").unwrap();
        let mut maps: Vec<Map> = std::iter::from_fn(|| Map::new(&file, 4096))
            .take(MOST_MAPS + 1)
            .collect();
        assert_eq!(maps.len(), MOST_MAPS);
        maps.pop();
        assert!(Map::new(&file, 4096).is_some());
    }

    /// Dies of a SIGBUS that is not the handler's, where the environment asks for it.
    #[test]
    fn any_other_bus_error_ends_the_process() {
        let folder = Folder::new();
        let path = folder.path().join("text");
        fs::write(&path, text()).unwrap();
        let file = File::open(&path).unwrap();
        let map = Map::new(&file, text().len() as u64).unwrap();
        match std::env::var(WHICH).as_deref() {
            Ok("sent") => {
                // SAFETY: a signal to this thread.
                unsafe { libc::raise(libc::SIGBUS) };
            }
            Ok("foreign") => {
                let foreign = MmapOptions::new().map_raw_read_only(&file).unwrap();
                truncate(&path, 0);
                // SAFETY: the address is inside a map, whose file has lost its pages: this is meant to fault.
                unsafe { ptr::read_volatile(foreign.as_ptr()) };
            }
            _ => {
                for which in ["sent", "foreign"] {
                    let status = again("any_other_bus_error_ends_the_process", which);
                    assert_eq!(status.signal(), Some(libc::SIGBUS), "{which}: {status}");
                }
            }
        }
        drop(map);
    }
}
