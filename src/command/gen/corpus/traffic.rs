//! Many requests under way at once, step by step, and what each step says: what the JSON and the plain corpus
//! have in common.

use super::super::calendar::number;
use super::super::random::Random;
use super::{BEGIN, add};

/// Requests that are open at a time.
const OPEN: u64 = 256;

pub const SERVICES: [&str; 10] = [
    "catalog",
    "checkout",
    "gateway",
    "identity",
    "inventory",
    "mailer",
    "orders",
    "payments",
    "search",
    "shipping",
];

const TARGETS: [&str; 6] = [
    "cache-02",
    "ledger",
    "pg-primary",
    "pg-replica",
    "queue-01",
    "tax-service",
];

const WORK: [&str; 14] = [
    "order accepted",
    "stock reserved",
    "session renewed",
    "price list loaded for 3 regions",
    "voucher checked",
    "address verified",
    "cart merged after sign-in",
    "delivery window chosen",
    "label printed",
    "tax computed",
    "event published to topic \"orders.v2\"",
    "document rendered in 2 pages",
    "page assembled from 14 parts",
    "customer M\u{fc}ller greeted",
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Smooth,
    /// Times out, tries again, gets through.
    Retried,
    /// Times out, tries again, gives up.
    Failed,
}

#[derive(Clone, Copy)]
pub struct Open {
    pub id: u64,
    pub user: u64,
    pub service: usize,
    pub step: u64,
    steps: u64,
    fate: Fate,
}

/// The requests under way, and the clock.
pub struct Traffic {
    pub random: Random,
    pub now: u64,
    open: Vec<Open>,
}

impl Traffic {
    pub fn new(random: Random) -> Self {
        let mut traffic = Traffic {
            random,
            now: BEGIN,
            open: Vec::with_capacity(OPEN as usize),
        };
        for _ in 0..OPEN {
            let mut open = traffic.arrival();
            open.step = traffic.random.below(open.steps);
            traffic.open.push(open);
        }
        traffic
    }

    fn arrival(&mut self) -> Open {
        let random = &mut self.random;
        let fate = match random.below(1000) {
            0..=24 => Fate::Retried,
            25..=34 => Fate::Failed,
            _ => Fate::Smooth,
        };
        let steps = random.range(4, 9);
        Open {
            id: random.next(),
            user: random.below(200_000),
            service: random.below(10) as usize,
            step: 0,
            steps,
            fate,
        }
    }

    /// One step of one request, chosen by chance: with its state before the step.
    pub fn step(&mut self) -> Open {
        self.now += self.random.below(9);
        let slot = self.random.below(OPEN) as usize;
        let open = self.open[slot];
        self.open[slot].step += 1;
        if open.step + 1 >= open.steps {
            self.open[slot] = self.arrival();
        }
        open
    }
}

/// What a step says: level 0 to 4 (DEBUG to FATAL), and the text into `out`.
pub fn message(out: &mut Vec<u8>, random: &mut Random, open: &Open) -> usize {
    let last = open.step + 1 == open.steps;
    match (open.fate, open.step) {
        (Fate::Retried | Fate::Failed, 1) => {
            add(out, "timeout after ");
            number(out, random.range(8, 40) * 100);
            add(out, "ms waiting for ");
            add(out, random.pick(&TARGETS));
            return 3;
        }
        (Fate::Retried | Fate::Failed, 2) => {
            add(out, "retry scheduled: attempt 2 of 4 in ");
            number(out, random.range(180, 260));
            add(out, "ms");
            return 2;
        }
        (Fate::Failed, _) if last => {
            add(out, "request failed: giving up on ");
            add(out, random.pick(&TARGETS));
            return if random.chance(40) { 4 } else { 3 };
        }
        _ if last => {
            add(out, "request finished");
            return 1;
        }
        _ => {}
    }
    match random.below(100) {
        0..=17 => {
            add(out, "cache lookup key=user:");
            number(out, open.user);
            add(
                out,
                if random.chance(800) {
                    " hit=true ttl="
                } else {
                    " hit=false ttl="
                },
            );
            number(out, random.range(1, 3600));
            0
        }
        18..=27 => {
            add(
                out,
                "sql: SELECT id, state, updated_at FROM orders WHERE user_id = $1 AND state <> $2 LIMIT ",
            );
            number(out, random.range(1, 200));
            0
        }
        28..=31 => {
            add(out, "queue depth ");
            number(out, random.range(100, 90_000));
            add(out, " above soft limit of ");
            add(out, random.pick(&TARGETS));
            2
        }
        32 => {
            add(out, "connection refused by ");
            add(out, random.pick(&TARGETS));
            add(out, ":5432");
            3
        }
        _ => {
            add(out, random.pick(&WORK));
            add(out, " in stage ");
            number(out, open.step + 1);
            1
        }
    }
}
