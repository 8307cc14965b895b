//! A purchase: checkout asks payments, payments asks the ledger, the ledger asks the database; and checkout asks
//! again, with a back-off that doubles, where an attempt fails or takes too long.

use super::super::calendar::{hex, text};
use super::json::Object;
use super::payments::Outcome;
use super::shop::{Shop, USERS, address, agent, in_hour};
use super::story;

const NOTES: [&str; 5] = [
    "ring \"M\u{fc}ller\", 2nd floor",
    "gift \u{1f381} please wrap",
    "leave at C:\\garage\\left",
    "call before delivery\nno dogs",
    "\u{5f8c}\u{3067} \u{2014} after 18:00",
];

/// A visitor's purchase, as every service on its way knows it.
pub struct Request {
    pub id: String,
    pub trace: String,
    pub user: &'static str,
    pub order: u64,
    pub cents: u64,
    /// The card has no money on it: every attempt ends so.
    pub declined: bool,
    /// When the ledger has had it for good, known to checkout or not.
    pub posted: Option<u64>,
    pub reached_ledger: bool,
}

pub fn order(request: &Request) -> String {
    format!("O-{}", request.order)
}

impl Shop {
    /// A purchase: checkout asks payments, payments asks the ledger, the ledger asks the database.
    pub fn purchase(&mut self, moment: u64) {
        if self.restarting(moment, "POST /api/checkout") {
            return;
        }
        self.orders += 1;
        let mut request = Request {
            id: self.request_id(),
            trace: {
                let (high, low) = (self.random.next(), self.random.next());
                text(|out| {
                    hex(out, high, 16);
                    hex(out, low, 16);
                })
            },
            user: self.random.pick(&USERS),
            order: self.orders,
            cents: self.random.skewed(5_900),
            declined: self.random.chance(25),
            posted: None,
            reached_ledger: false,
        };
        self.started(moment, &request);
        let mut now = moment + self.random.skewed(30);
        let attempts = story::payments_attempts(moment);
        let timeout = story::payments_timeout_ms(moment);
        let mut attempt = 1;
        let outcome = loop {
            let charge = self.charge(now, &mut request, attempt);
            let failure = if charge.end > now + timeout {
                now += timeout;
                format!("timeout after {timeout}ms")
            } else {
                now = charge.end + 1;
                match charge.outcome {
                    Outcome::Failed(reason) => format!("503 {reason}"),
                    outcome => break outcome,
                }
            };
            let message = format!("payments: {failure}");
            if in_hour(now) && failure == "timeout after 1200ms" {
                self.facts.timeouts += 1;
            }
            let backoff =
                (attempt < attempts).then(|| (200 << (attempt - 1)) + self.random.below(60));
            let mut retry = Object::new()
                .number("attempt", attempt)
                .number("of", attempts);
            if let Some(backoff) = backoff {
                retry = retry.number("backoff_ms", backoff);
            }
            self.step(now, &message, &request, retry);
            match backoff {
                Some(backoff) => now += backoff,
                None => break Outcome::Failed(failure),
            }
            attempt += 1;
        };
        now += self.random.range(1, 9);
        self.finished(moment, now, &request, attempt, outcome);
    }

    fn started(&mut self, moment: u64, request: &Request) {
        let items = self.random.range(1, 6);
        let mut client = Object::new()
            .text("ip", &address(request.user))
            .text("agent", agent(request.user));
        if self.random.chance(80) {
            client = client.text("note", self.random.pick(&NOTES));
        }
        let cart = Object::new()
            .number("items", items)
            .number("total_cents", request.cents)
            .text("currency", "EUR");
        let entry = self
            .say_checkout(moment, "INFO", "checkout started")
            .text("request_id", &request.id)
            .text("trace_id", &request.trace)
            .text("user", request.user)
            .object(
                "ctx",
                Object::new()
                    .text("order", &order(request))
                    .object("cart", cart)
                    .object("client", client),
            );
        self.checkout.entry(moment, entry.end());
        self.facts.checkouts += u64::from(in_hour(moment));
    }

    /// One failed attempt.
    fn step(&mut self, moment: u64, message: &str, request: &Request, retry: Object) {
        let entry = self
            .say_checkout(moment, "WARN", message)
            .text("request_id", &request.id)
            .text("user", request.user)
            .object("ctx", Object::new().object("retry", retry));
        self.checkout.entry(moment, entry.end());
    }

    fn finished(
        &mut self,
        start: u64,
        end: u64,
        request: &Request,
        attempts: u64,
        outcome: Outcome,
    ) {
        let took = end - start;
        let (status, level, message) = match &outcome {
            Outcome::Done => (201, "INFO", "checkout finished".to_owned()),
            Outcome::Declined => (402, "WARN", "checkout declined: card declined".to_owned()),
            Outcome::Failed(failure) if failure.starts_with("timeout") => (
                504,
                "ERROR",
                format!("checkout failed: payments: {failure}"),
            ),
            Outcome::Failed(failure) if failure.contains("connection refused") => (
                502,
                "ERROR",
                format!("checkout failed: payments: {failure}"),
            ),
            Outcome::Failed(failure) => (
                503,
                "ERROR",
                format!("checkout failed: payments: {failure}"),
            ),
        };
        let mut entry = self
            .say_checkout(end, level, &message)
            .text("request_id", &request.id)
            .text("user", request.user)
            .text("path", "/api/checkout")
            .number("status", status)
            .number("duration_ms", took);
        if attempts > 1 {
            entry = entry.object(
                "ctx",
                Object::new().object("retry", Object::new().number("attempts", attempts)),
            );
        }
        self.checkout.entry(end, entry.end());
        self.count(start, took, request, attempts, &outcome);
        // Who waits long enough closes the page; checkout works on, and nginx notes 499.
        if took > 3_000 && self.random.chance(350) {
            let gone = start + self.random.range(2_400, took);
            self.visit_by(gone, request.user, "POST /api/checkout", 499, 0);
        } else {
            let bytes = if status == 201 {
                self.random.range(380, 460)
            } else {
                118
            };
            self.visit_by(end + 1, request.user, "POST /api/checkout", status, bytes);
        }
    }

    fn count(
        &mut self,
        start: u64,
        took: u64,
        request: &Request,
        attempts: u64,
        outcome: &Outcome,
    ) {
        self.facts.crossing += u64::from(request.reached_ledger);
        if !in_hour(start) {
            return;
        }
        match outcome {
            Outcome::Done => {
                self.facts.checkouts_done += 1;
                self.facts.checkouts_done_after_retry += u64::from(attempts > 1);
            }
            Outcome::Declined => self.facts.checkouts_declined += 1,
            Outcome::Failed(_) => self.facts.checkouts_failed += 1,
        }
        if took > self.facts.slowest_ms {
            self.facts.slowest_ms = took;
            self.facts.slowest_request_id.clone_from(&request.id);
        }
    }
}
