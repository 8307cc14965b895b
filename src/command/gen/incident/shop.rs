//! The shop at work: who comes when, and what each request leaves in which log. A request is played from its
//! first line to its last before the next one begins; the logs sort the lines afterwards.

use std::collections::BTreeMap;

use super::super::calendar::{common_log, hex, rfc3339, text};
use super::super::random::Random;
use super::facts::Facts;
use super::json::Object;
use super::log::Log;
use super::payments::Outcome;
use super::story::{self, Database, at};

const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.2 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0",
    "ShopApp/7.2.1 (Android 16)",
    "ShopApp/7.2.0 (iOS 26.2)",
];

const USERS: [&str; 40] = [
    "a.adeyemi",
    "a.lindqvist",
    "b.castro",
    "b.novak",
    "c.duarte",
    "c.weiss",
    "d.ferrari",
    "d.yilmaz",
    "e.haddad",
    "e.petrov",
    "f.jansen",
    "f.silva",
    "g.moreno",
    "g.tanaka",
    "h.dubois",
    "i.kowalski",
    "i.rossi",
    "j.andersen",
    "j.nguyen",
    "k.ivanova",
    "k.murphy",
    "l.bauer",
    "l.costa",
    "m.hoffmann",
    "m.okoye",
    "n.larsen",
    "n.singh",
    "o.fischer",
    "p.garcia",
    "p.virtanen",
    "q.lambert",
    "r.kim",
    "r.schulz",
    "s.mbeki",
    "t.horvat",
    "t.nielsen",
    "u.braun",
    "v.popescu",
    "w.chen",
    "y.sato",
];

const PAGES: [&str; 12] = [
    "/",
    "/category/lamps",
    "/category/chairs",
    "/category/desks?page=2",
    "/product/4711",
    "/product/1180",
    "/product/2093?color=oak",
    "/product/3308",
    "/search?q=floor+lamp",
    "/search?q=b%C3%BCrostuhl",
    "/static/app.4f1c.js",
    "/static/shop.9e2d.css",
];

/// What no shop has, and someone asks every day.
const STRAYS: [&str; 3] = ["/wp-login.php", "/.env", "/product/17"];

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

pub struct Shop {
    pub random: Random,
    pub access: Log,
    pub checkout: Log,
    pub payments: Log,
    pub ledger: Log,
    pub postgres: Log,
    pub facts: Facts,
    orders: u64,
    /// How often each visitor mistyped: below five in all, so that no one is locked out by chance.
    mistyped: BTreeMap<&'static str, u64>,
}

pub fn in_hour(moment: u64) -> bool {
    (story::HOUR_FROM..story::HOUR_TO).contains(&moment)
}

impl Shop {
    pub fn new(seed: u64) -> Self {
        Shop {
            random: Random::new(seed),
            access: Log::default(),
            checkout: Log::default(),
            payments: Log::default(),
            ledger: Log::default(),
            postgres: Log::default(),
            facts: Facts {
                seed,
                ..Facts::default()
            },
            orders: 88_100,
            mistyped: BTreeMap::new(),
        }
    }

    pub fn traffic(&mut self) {
        let mut minute = story::BEGIN;
        while minute < story::END {
            let quiet = minute < at(13, 40, 0);
            // People press the button again while the shop fails.
            let impatient = (story::PRIMARY_LOST..at(14, 25, 0)).contains(&minute);
            let (pages, carts, logins, checkouts) = match (quiet, impatient) {
                (true, _) => (2, 1, 1, 2),
                (false, false) => (4, 3, 1, 5),
                (false, true) => (4, 3, 1, 11),
            };
            self.each(minute, pages, Shop::page);
            self.each(minute, carts, Shop::cart);
            self.each(minute, logins, Shop::login);
            self.each(minute, checkouts, Shop::purchase);
            let probe = minute + 7_000;
            self.visit(
                probe,
                "10.20.0.1",
                "GET /healthcheck",
                200,
                2,
                "-",
                "kube-probe/1.34",
            );
            minute += 60_000;
        }
    }

    /// About `count` visits somewhere within the minute.
    fn each(&mut self, minute: u64, count: u64, visit: fn(&mut Shop, u64)) {
        let count = self.random.range(count.saturating_sub(1), count + 1);
        let mut moments: Vec<u64> = (0..count)
            .map(|_| minute + self.random.below(60_000))
            .collect();
        // In the order of time, as their order numbers will be.
        moments.sort_unstable();
        for moment in moments {
            visit(self, moment);
        }
    }

    fn page(&mut self, moment: u64) {
        let page = self.random.pick(&PAGES);
        let (page, status, bytes) = match self.random.below(100) {
            0..=39 if page.starts_with("/static") => (page, 304, 0),
            0..=1 => (self.random.pick(&STRAYS), 404, 1_533),
            _ => (page, 200, self.random.skewed(14_000)),
        };
        let user = self.random.pick(&USERS);
        self.visit_by(moment, user, &format!("GET {page}"), status, bytes);
    }

    fn cart(&mut self, moment: u64) {
        if self.restarting(moment, "POST /api/cart") {
            return;
        }
        let user = self.random.pick(&USERS);
        let request_id = self.request_id();
        let items = self.random.range(1, 6);
        let unhealthy = self.random.chance(850);
        let (status, level, took, message) = match story::database(moment) {
            Database::Lost if unhealthy => (
                503,
                "ERROR",
                self.random.range(3, 20),
                format!("cart store: connection refused ({})", story::PRIMARY),
            ),
            Database::ReadOnly if unhealthy => (
                503,
                "ERROR",
                self.random.range(5, 25),
                "cart store: read-only transaction".to_owned(),
            ),
            _ if self.random.chance(12) => (
                422,
                "WARN",
                self.random.skewed(20),
                "voucher expired: WINTER25".to_owned(),
            ),
            _ => (
                200,
                "INFO",
                self.random.skewed(35) * (story::strain(moment) + 300) / 400,
                "cart updated".to_owned(),
            ),
        };
        let end = moment + took;
        let entry = self
            .say_checkout(end, level, &message)
            .text("request_id", &request_id)
            .text("user", user)
            .text("path", "/api/cart")
            .number("status", status)
            .number("duration_ms", took)
            .object(
                "ctx",
                Object::new().object("cart", Object::new().number("items", items)),
            );
        self.checkout.entry(end, entry.end());
        let bytes = if status == 200 {
            self.random.range(180, 900)
        } else {
            97
        };
        self.visit_by(end, user, "POST /api/cart", status, bytes);
    }

    fn login(&mut self, moment: u64) {
        if self.restarting(moment, "POST /login") {
            return;
        }
        let user = self.random.pick(&USERS);
        let mut moment = moment;
        if self.random.chance(220) {
            let mistyped = self.mistyped.entry(user).or_default();
            let times = (4 - *mistyped).min(1 + self.random.below(3));
            *mistyped += times;
            for _ in 0..times {
                self.failed_password(moment, user, &address(user));
                moment += self.random.range(3_000, 14_000);
            }
        }
        self.accepted_password(moment, user, &address(user));
    }

    /// A purchase: checkout asks payments, payments asks the ledger, the ledger asks the database.
    fn purchase(&mut self, moment: u64) {
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
            let retry = Object::new()
                .number("attempt", attempt)
                .number("of", attempts);
            let retry = if attempt < attempts {
                let backoff = (200 << (attempt - 1)) + self.random.below(60);
                let retry = retry.number("backoff_ms", backoff);
                self.step(now, "WARN", &message, &request, retry);
                now += backoff;
                attempt += 1;
                continue;
            } else {
                retry
            };
            self.step(now, "WARN", &message, &request, retry);
            break Outcome::Failed(failure);
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

    /// One failed attempt, from which checkout goes on.
    fn step(&mut self, moment: u64, level: &str, message: &str, request: &Request, retry: Object) {
        let entry = self
            .say_checkout(moment, level, message)
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

    /// While checkout restarts nginx has no one to ask: 502, and not a word in checkout's log.
    fn restarting(&mut self, moment: u64, request: &str) -> bool {
        let down = (story::RESTART_FROM..story::RESTART_TO).contains(&moment);
        if down {
            let user = self.random.pick(&USERS);
            self.visit_by(moment, user, request, 502, 150);
        }
        down
    }

    fn request_id(&mut self) -> String {
        format!("r-{:012x}", self.random.next() >> 16)
    }

    /// The head of an entry in checkout's log.
    pub fn say_checkout(&mut self, moment: u64, level: &str, message: &str) -> Object {
        self.note_refused(moment, message);
        Object::new()
            .text("timestamp", &text(|out| rfc3339(out, moment)))
            .text("level", level)
            .text("service", "checkout")
            .text("version", story::version(moment))
            .text("message", message)
    }

    pub fn note_refused(&mut self, moment: u64, message: &str) {
        let refused = message.to_ascii_lowercase().contains("connection refused");
        self.facts.refused += u64::from(refused && in_hour(moment));
    }

    fn visit_by(&mut self, moment: u64, user: &str, request: &str, status: u64, bytes: u64) {
        self.visit_from(moment, &address(user), user, request, status, bytes);
    }

    pub fn visit_from(
        &mut self,
        moment: u64,
        from: &str,
        user: &str,
        request: &str,
        status: u64,
        bytes: u64,
    ) {
        let referrer = match request {
            "POST /api/checkout" => "https://shop.example/checkout",
            "POST /api/cart" => "https://shop.example/product/4711",
            "POST /login" => "https://shop.example/login",
            _ => "-",
        };
        self.visit(moment, from, request, status, bytes, referrer, agent(user));
    }

    /// One line of nginx's combined format.
    #[allow(
        clippy::too_many_arguments,
        reason = "one for each column of the format"
    )]
    fn visit(
        &mut self,
        moment: u64,
        from: &str,
        request: &str,
        status: u64,
        bytes: u64,
        referrer: &str,
        agent: &str,
    ) {
        let time = text(|out| common_log(out, moment));
        let line = format!(
            "{from} - - [{time}] \"{request} HTTP/1.1\" {status} {bytes} \"{referrer}\" \"{agent}\""
        );
        self.access.entry(moment, line);
    }
}

pub fn order(request: &Request) -> String {
    format!("O-{}", request.order)
}

fn hash(user: &str) -> u64 {
    user.bytes()
        .fold(7, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte))
}

/// Everyone's own address, out of the ranges kept for documentation.
pub fn address(user: &str) -> String {
    let network = ["192.0.2", "198.51.100"][(hash(user) / 250 % 2) as usize];
    format!("{network}.{}", 1 + hash(user) % 250)
}

fn agent(user: &str) -> &'static str {
    AGENTS[(hash(user) % AGENTS.len() as u64) as usize]
}
