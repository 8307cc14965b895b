//! payments on node-b: one charge is one call from checkout. It knows the purchase by its trace id alone, and
//! now and then, where an old client library still sends it, by its request id too.

use super::super::calendar::{rfc3339, text};
use super::json::Object;
use super::ledger::Posting;
use super::purchase::{Request, order};
use super::shop::{Shop, hash};

/// How long payments waits for the ledger.
const LEDGER_TIMEOUT_MS: u64 = 5_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Declined,
    Failed(String),
}

pub struct Charge {
    pub end: u64,
    pub outcome: Outcome,
}

impl Shop {
    /// payments ends what it began, whether or not checkout still waits for it.
    pub fn charge(&mut self, moment: u64, request: &mut Request, attempt: u64) -> Charge {
        let start = moment + self.random.range(2, 6);
        let old_client = self.random.chance(200);
        let number = 1000 + hash(request.user) % 9000;
        let scheme = ["visa", "mastercard", "girocard"][(number % 3) as usize];
        let card = Object::new().text("scheme", scheme).number("last4", number);
        let charge = Object::new()
            .text("order", &order(request))
            .number("cents", request.cents)
            .number("attempt", attempt);
        let mut entry = self
            .say_payments(start, "info", "charge requested")
            .text("trace_id", &request.trace);
        if old_client {
            entry = entry.text("request_id", &request.id);
        }
        let entry = entry.object(
            "ctx",
            Object::new().object("charge", charge).object("card", card),
        );
        self.payments.entry(start, entry.end());

        let mut now = start + self.random.skewed(20);
        if request.declined {
            now += self.random.skewed(60);
            return self.charged(start, now, request, 402, Outcome::Declined);
        }
        // The provider knows an attempt it has seen, and answers at once.
        now += if attempt == 1 {
            self.random.skewed(85)
        } else {
            self.random.skewed(15)
        };
        if attempt == 1 && self.random.chance(6) {
            return self.charged(
                start,
                now,
                request,
                502,
                Outcome::Failed("card provider: status 502".to_owned()),
            );
        }
        let posting = self.post(now, request);
        if posting.end() > now + LEDGER_TIMEOUT_MS {
            let reason = format!("ledger: timeout after {LEDGER_TIMEOUT_MS}ms");
            return self.charged(
                start,
                now + LEDGER_TIMEOUT_MS,
                request,
                504,
                Outcome::Failed(reason),
            );
        }
        match posting {
            Posting::Done(end) => self.charged(start, end + 2, request, 200, Outcome::Done),
            Posting::Failed(end, reason) => self.charged(
                start,
                end + 2,
                request,
                503,
                Outcome::Failed(format!("ledger: {reason}")),
            ),
        }
    }

    fn charged(
        &mut self,
        start: u64,
        end: u64,
        request: &Request,
        status: u64,
        outcome: Outcome,
    ) -> Charge {
        let (level, message) = match &outcome {
            Outcome::Done => ("info", "charge authorized".to_owned()),
            Outcome::Declined => ("warn", "card declined: insufficient funds".to_owned()),
            Outcome::Failed(reason) => ("error", format!("charge failed: {reason}")),
        };
        let hundredths = (end - start) * 100 + self.random.below(100);
        let entry = self
            .say_payments(end, level, &message)
            .text("trace_id", &request.trace)
            .number("status", status)
            .hundredths("duration_ms", hundredths);
        self.payments.entry(end, entry.end());
        Charge { end, outcome }
    }

    /// The head of an entry in payments' log: its levels are in lower case.
    pub fn say_payments(&mut self, moment: u64, level: &str, message: &str) -> Object {
        let noted = match level {
            "debug" => "DEBUG",
            "info" => "INFO",
            "warn" => "WARN",
            _ => "ERROR",
        };
        self.note(moment, "payments", noted, message);
        Object::new()
            .text("timestamp", &text(|out| rfc3339(out, moment)))
            .text("level", level)
            .text("service", "payments")
            .text("message", message)
    }
}
