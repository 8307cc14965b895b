//! Room for deep trees: what the language reads may be nested deeper than the stack of a usual thread bears.

use std::cell::Cell;
use std::io;

const STACK_BYTES: usize = 64 << 20;

thread_local! {
    static HAS_ROOM: Cell<bool> = const { Cell::new(false) };
}

/// Runs the work on a thread that has room; on this one if it was made so. Fails where no thread can be made.
pub fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    if HAS_ROOM.get() {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("language".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || {
                HAS_ROOM.set(true);
                work()
            })?;
        Ok(thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
