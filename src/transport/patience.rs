//! How long a host is waited for, in the time that this process was there to wait.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// Parts that a patience is waited out in.
const PARTS: u32 = 8;

/// Waits for what a host may take so long for; None where it takes longer.
///
/// A runner that was stopped wakes to a deadline that is over and to words that nobody has fetched yet: it would take every
/// host for dead. So a part that took far longer than it should is no host's silence, and what came meanwhile is heard.
pub async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Option<T> {
    let part = patience / PARTS;
    let mut work = pin!(work);
    let mut left = PARTS;
    while left > 0 {
        let began = Instant::now();
        if let Ok(done) = timeout(part, &mut work).await {
            return Some(done);
        }
        if began.elapsed() < 2 * part {
            left -= 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::advance;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(8);

    #[tokio::test(start_paused = true)]
    async fn silence_ends_it() {
        let began = Instant::now();
        assert_eq!(within(PATIENCE, pending::<()>()).await, None);
        let took = began.elapsed();
        assert!((PATIENCE..PATIENCE * 2).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn time_that_nobody_waited_is_no_silence() {
        let began = Instant::now();
        let waiting = tokio::spawn(within(PATIENCE, pending::<()>()));
        // Its last part has begun when the process is stopped for an hour.
        tokio::time::sleep(PATIENCE - PATIENCE / PARTS / 2).await;
        let stopped = Duration::from_secs(3600);
        advance(stopped).await;
        tokio::time::sleep(PATIENCE / PARTS / 2).await;
        assert!(!waiting.is_finished());
        assert_eq!(waiting.await.unwrap(), None);
        let waited = began.elapsed() - stopped;
        assert!((PATIENCE..PATIENCE * 2).contains(&waited), "{waited:?}");
    }
}
