//! Work that is done on many threads, a few pieces at a time, and taken on this one in the order in which it was given: no
//! thread waits for a slower one's piece, and what is held is bounded.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use rayon::{Scope, Yield};

/// Calls with a queue whose pieces `work` does.
pub fn in_order<'scope, Piece: Send + 'scope, Done: Send + 'scope, T>(
    work: &'scope (dyn Fn(Piece) -> Done + Sync),
    drive: impl FnOnce(&mut Queue<'_, 'scope, Piece, Done>) -> T,
) -> T {
    rayon::in_place_scope(|scope| {
        drive(&mut Queue {
            scope,
            work,
            waiting: VecDeque::new(),
        })
    })
}

/// Pieces that are being done, the oldest first.
pub struct Queue<'q, 'scope, Piece, Done> {
    scope: &'q Scope<'scope>,
    work: &'scope (dyn Fn(Piece) -> Done + Sync),
    waiting: VecDeque<Receiver<Done>>,
}

impl<'scope, Piece: Send + 'scope, Done: Send + 'scope> Queue<'_, 'scope, Piece, Done> {
    /// Whether all threads have enough to do.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= 3 * rayon::current_num_threads()
    }

    pub fn push(&mut self, piece: Piece) {
        let (done, waiting) = sync_channel(1);
        let work = self.work;
        self.scope.spawn(move |_| {
            // Where nobody waits any more, what came of it goes.
            let _ = done.send(work(piece));
        });
        self.waiting.push_back(waiting);
    }

    /// What came of the oldest piece, once it is done; None where there is none, or its thread has panicked, which goes on
    /// when the scope ends.
    pub fn pop(&mut self) -> Option<Done> {
        let oldest = self.waiting.pop_front()?;
        // A thread of the pool that waits here does itself what nobody has begun, else nobody might.
        loop {
            match oldest.try_recv() {
                Err(TryRecvError::Empty) if rayon::yield_now() == Some(Yield::Executed) => {}
                Err(TryRecvError::Empty) => return oldest.recv().ok(),
                done => return done.ok(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squares(count: u64) -> Vec<u64> {
        let square = |number: u64| {
            // Later ones are done sooner.
            let rounds = 100 * (count - number);
            let zero = (0..rounds).fold(0, |sum, round| std::hint::black_box(sum & round));
            number * number + zero
        };
        in_order(&square, |queue| {
            let mut squares = Vec::new();
            let mut numbers = 0..count;
            loop {
                while !queue.is_full()
                    && let Some(number) = numbers.next()
                {
                    queue.push(number);
                }
                match queue.pop() {
                    Some(square) => squares.push(square),
                    None => return squares,
                }
            }
        })
    }

    /// On a pool of one thread that drives the queue itself, too.
    #[test]
    fn pieces_come_in_the_order_in_which_they_were_given() {
        let expected: Vec<u64> = (0..300).map(|number| number * number).collect();
        assert_eq!(squares(300), expected);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().unwrap();
            assert_eq!(pool.install(|| squares(300)), expected);
        }
    }

    #[test]
    fn a_piece_that_panics_is_heard_of() {
        let work = |number: u64| assert!(number < 2, "piece {number}");
        let driven = std::panic::catch_unwind(|| {
            in_order(&work, |queue| {
                (0..3).for_each(|number| queue.push(number));
                while queue.pop().is_some() {}
            })
        });
        let message = driven.unwrap_err();
        assert_eq!(message.downcast_ref::<String>().unwrap(), "piece 2");
    }
}
