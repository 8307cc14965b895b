//! The shop at work: who comes when, and what each request leaves in which log. A request is played from its
//! first line to its last before the next one begins; the logs sort the lines afterwards.

use std::collections::BTreeMap;

use super::super::calendar::{common_log, rfc3339, text};
use super::super::random::Random;
use super::facts::Facts;
use super::json::Object;
use super::log::Log;
use super::story::{self, Database, at};

const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.2 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0",
    "ShopApp/7.2.1 (Android 16)",
    "ShopApp/7.2.0 (iOS 26.2)",
];

pub const USERS: [&str; 40] = [
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

pub struct Shop {
    pub random: Random,
    pub access: Log,
    pub checkout: Log,
    pub payments: Log,
    pub ledger: Log,
    pub postgres: Log,
    pub facts: Facts,
    pub orders: u64,
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

    /// While checkout restarts nginx has no one to ask: 502, and not a word in checkout's log.
    pub fn restarting(&mut self, moment: u64, request: &str) -> bool {
        let down = (story::RESTART_FROM..story::RESTART_TO).contains(&moment);
        if down {
            let user = self.random.pick(&USERS);
            self.visit_by(moment, user, request, 502, 150);
        }
        down
    }

    pub fn request_id(&mut self) -> String {
        format!("r-{:012x}", self.random.next() >> 16)
    }

    /// The head of an entry in checkout's log.
    pub fn say_checkout(&mut self, moment: u64, level: &'static str, message: &str) -> Object {
        self.note(moment, "checkout", level, message);
        Object::new()
            .text("timestamp", &text(|out| rfc3339(out, moment)))
            .text("level", level)
            .text("service", "checkout")
            .text("version", story::version(moment))
            .text("message", message)
    }

    /// Every entry of a service passes here once, with the time that it shows.
    pub fn note(&mut self, shown: u64, service: &'static str, level: &'static str, message: &str) {
        if !in_hour(shown) {
            return;
        }
        *self.facts.levels.entry((service, level)).or_default() += 1;
        let refused =
            service != "postgres" && message.to_ascii_lowercase().contains("connection refused");
        self.facts.refused += u64::from(refused);
    }

    pub fn visit_by(&mut self, moment: u64, user: &str, request: &str, status: u64, bytes: u64) {
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
        if in_hour(moment) {
            *self.facts.statuses.entry(status).or_default() += 1;
        }
    }
}

pub fn hash(user: &str) -> u64 {
    user.bytes()
        .fold(7, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte))
}

/// Everyone's own address, out of the ranges kept for documentation.
pub fn address(user: &str) -> String {
    let network = ["192.0.2", "198.51.100"][(hash(user) / 250 % 2) as usize];
    format!("{network}.{}", 1 + hash(user) % 250)
}

pub fn agent(user: &str) -> &'static str {
    AGENTS[(hash(user) % AGENTS.len() as u64) as usize]
}
