//! What is told rather than drawn: the deploy, the accounts that someone tries passwords on, and what the
//! services say about themselves.

use super::json::Object;
use super::shop::{Shop, address, hash};
use super::story::{self, Database, at};

const LOCKED_OUT: &str = "h.brandt";
const UNNOTICED: &str = "s.okafor";
const NOTICED: &str = "l.moreau";

/// The address that all three were tried from.
const ATTACKER: &str = "203.0.113.77";

impl Shop {
    pub fn events(&mut self) {
        self.deploy();
        self.pools();
        self.background();
        self.clocks();
        self.accounts();
    }

    fn deploy(&mut self) {
        let from = story::RESTART_FROM;
        let to = story::RESTART_TO;
        for (moment, message) in [
            (
                story::DEPLOY_STARTED + 318,
                "deploy started version=2.14.0 from=2.13.4 by=ci/4411",
            ),
            (from - 9_000, "draining connections"),
            (from - 400, "shutting down"),
            (
                to + 40,
                "payments client: timeout 1200ms (was 3000ms), attempts 4 (was 2), backoff 200ms doubling",
            ),
            (to + 55, "listening on :8080"),
            (
                story::DEPLOY_FINISHED + 406,
                "deploy finished version=2.14.0 duration_s=100",
            ),
        ] {
            let entry = self
                .say_checkout(moment, "INFO", message)
                .object("ctx", Object::new().text("component", "release"));
            self.checkout.entry(moment, entry.end());
        }
    }

    fn pools(&mut self) {
        let mut moment = story::BEGIN + 30_000;
        while moment < story::END {
            let (in_use, waiting) = match story::database(moment) {
                Database::Healthy => (self.random.range(1, 4), 0),
                Database::Lost | Database::ReadOnly => (16, self.random.range(9, 40)),
                Database::Recovering => (
                    16.min(3 + story::strain(moment) / 60),
                    story::strain(moment) / 80 - 1,
                ),
            };
            let pool = Object::new()
                .number("in_use", in_use)
                .number("max", 16)
                .number("waiting", waiting);
            let level = if waiting > 2 { "WARN" } else { "DEBUG" };
            let entry = self
                .say_checkout(moment, level, "pool stats")
                .object("ctx", Object::new().object("pool", pool));
            self.checkout.entry(moment, entry.end());
            moment += 120_000;
        }
    }

    /// What payments says besides its charges.
    fn background(&mut self) {
        for (moment, level, message) in [
            (at(14, 20, 6) + 51, "error", "ledger health: down"),
            (at(14, 21, 34) + 7, "info", "ledger health: up"),
        ] {
            let entry = self.say_payments(moment, level, message);
            self.payments.entry(moment, entry.end());
        }
        let mut moment = story::BEGIN + 250_120;
        while moment < story::END {
            let took = self.random.skewed(2_100);
            let entry = self
                .say_payments(moment, "debug", "card provider answers")
                .hundredths("duration_ms", took)
                .object(
                    "ctx",
                    Object::new().text("provider", "cards-eu").number("open", 2),
                );
            self.payments.entry(moment, entry.end());
            moment += 300_000;
        }
        let settled = at(14, 0, 3) + 770;
        let entry = self
            .say_payments(settled, "info", "settlement file written")
            .object(
                "ctx",
                Object::new()
                    .number("charges", 214)
                    .text("file", "/srv/settle/2026-01-19T13.csv"),
            );
        self.payments.entry(settled, entry.end());
    }

    /// The trace of node-c's clock in another node's log.
    fn clocks(&mut self) {
        let mut moment = story::BEGIN + 95_310;
        while moment < story::END {
            let message = "ledger's Date header is ahead of our clock";
            let ahead = Object::new()
                .text("peer", "node-c")
                .number("ahead_ms", 1_990 + self.random.below(20));
            let entry = self
                .say_payments(moment, "warn", message)
                .object("ctx", ahead);
            self.payments.entry(moment, entry.end());
            moment += 1_200_000;
        }
    }

    fn accounts(&mut self) {
        // In after five, and no one notices.
        for (minute, second) in [(36, 10), (36, 41), (37, 15), (37, 52), (38, 33)] {
            self.failed_password(
                at(14, minute, second) + hash(UNNOTICED) * second % 997,
                UNNOTICED,
                ATTACKER,
            );
        }
        self.accepted_password(at(14, 39, 5) + 640, UNNOTICED, ATTACKER);

        // Six failures, an alarm, a call to support, and only then in.
        for (minute, second) in [(41, 2), (41, 19), (41, 33), (41, 55), (42, 8), (42, 30)] {
            self.failed_password(
                at(14, minute, second) + hash(LOCKED_OUT) * second % 997,
                LOCKED_OUT,
                ATTACKER,
            );
        }
        self.alarm(
            at(14, 42, 31) + 12,
            LOCKED_OUT,
            "account locked after 6 failed passwords",
        );
        let unlocked = at(14, 47, 10) + 402;
        let message = format!("Unlocked {LOCKED_OUT} by support agent k.ito");
        let entry = self
            .say_checkout(unlocked, "INFO", &message)
            .text("user", LOCKED_OUT)
            .text("account", LOCKED_OUT)
            .object(
                "ctx",
                Object::new()
                    .text("component", "auth")
                    .text("ticket", "SUP-20417"),
            );
        self.checkout.entry(unlocked, entry.end());
        self.accepted_password(at(14, 47, 55) + 31, LOCKED_OUT, &address(LOCKED_OUT));

        // In after five, and the alarm is there within seconds.
        for (minute, second) in [(49, 20), (49, 38), (49, 57), (50, 20), (50, 44)] {
            self.failed_password(
                at(14, minute, second) + hash(NOTICED) * second % 997,
                NOTICED,
                ATTACKER,
            );
        }
        self.accepted_password(at(14, 51, 2) + 5, NOTICED, ATTACKER);
        self.alarm(
            at(14, 51, 6) + 9,
            NOTICED,
            "sign-in after 5 failed passwords, session ended",
        );

        self.facts.locked_out = LOCKED_OUT.to_owned();
        self.facts.unnoticed = UNNOTICED.to_owned();
        self.facts.noticed = NOTICED.to_owned();
    }

    /// Who failed is a `user`; who is in is an `account`.
    pub fn failed_password(&mut self, moment: u64, user: &str, from: &str) {
        let entry = self
            .say_checkout(moment, "WARN", &format!("Failed password for {user}"))
            .text("user", user)
            .text("path", "/login")
            .number("status", 401)
            .object(
                "ctx",
                Object::new().text("component", "auth").text("ip", from),
            );
        self.checkout.entry(moment, entry.end());
        self.sign_in(moment + 2, from, 401, user);
    }

    pub fn accepted_password(&mut self, moment: u64, user: &str, from: &str) {
        let took = self.random.skewed(70);
        let entry = self
            .say_checkout(moment, "INFO", &format!("Accepted password for {user}"))
            .text("account", user)
            .text("path", "/login")
            .number("status", 200)
            .number("duration_ms", took)
            .object(
                "ctx",
                Object::new().text("component", "auth").text("ip", from),
            );
        self.checkout.entry(moment, entry.end());
        self.sign_in(moment + 2, from, 200, user);
    }

    fn alarm(&mut self, moment: u64, user: &str, why: &str) {
        let entry = self
            .say_checkout(moment, "ERROR", &format!("Alarm raised for {user}: {why}"))
            .text("user", user)
            .text("account", user)
            .object(
                "ctx",
                Object::new().text("component", "auth").text("ip", ATTACKER),
            );
        self.checkout.entry(moment, entry.end());
    }

    fn sign_in(&mut self, moment: u64, from: &str, status: u64, user: &str) {
        let bytes = if status == 200 { 512 } else { 86 };
        self.visit_from(moment, from, user, "POST /login", status, bytes);
    }
}
