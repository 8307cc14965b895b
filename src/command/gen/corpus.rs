//! Corpora of any length for benches: JSON application logs, nginx access logs, plain logs with stack traces.
//! Many requests are open at once and every one is told from its start to its end, so that sessions and
//! sequences have something to join; fast enough (hundreds of MB/s) that writing is not what is measured.

use std::io::{self, Write};

use super::calendar::{DAY_MS, common_log, hex, number, padded, rfc3339, spaced};
use super::random::{Popularity, Random};

/// 2026-01-12T00:00:00Z.
const BEGIN: u64 = 20_465 * DAY_MS;

/// Requests that are open at a time.
const OPEN: u64 = 256;

/// How much is gathered before it is written.
const BUFFER_BYTES: usize = 256 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corpus {
    /// One JSON object a line, about 290 bytes.
    Json,
    /// nginx's combined format.
    Access,
    /// A log4j log; one entry in fifty has a stack trace.
    Plain,
}

impl Corpus {
    /// With the names that the command line knows them by.
    pub const ALL: [(&'static str, Corpus); 3] = [
        ("json", Corpus::Json),
        ("access", Corpus::Access),
        ("plain", Corpus::Plain),
    ];
}

/// Whole entries, until there are at least `bytes` of them.
pub fn corpus(corpus: Corpus, bytes: u64, seed: u64, out: &mut dyn Write) -> io::Result<()> {
    let random = Random::new(seed).fork(corpus as u64 + 1);
    match corpus {
        Corpus::Json => entries(&mut Json::new(random), bytes, out),
        Corpus::Access => entries(&mut Access::new(random), bytes, out),
        Corpus::Plain => entries(&mut Plain::new(random), bytes, out),
    }
}

trait Entries {
    /// One entry with its line end.
    fn next(&mut self, out: &mut Vec<u8>);
}

fn entries(source: &mut impl Entries, bytes: u64, out: &mut dyn Write) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER_BYTES + 8192);
    let mut written = 0;
    while written + (buffer.len() as u64) < bytes {
        source.next(&mut buffer);
        if buffer.len() >= BUFFER_BYTES {
            out.write_all(&buffer)?;
            written += buffer.len() as u64;
            buffer.clear();
        }
    }
    out.write_all(&buffer)
}

fn add(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

const SERVICES: [&str; 10] = [
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
enum Fate {
    Smooth,
    /// Times out, tries again, gets through.
    Retried,
    /// Times out, tries again, gives up.
    Failed,
}

#[derive(Clone, Copy)]
struct Open {
    id: u64,
    user: u64,
    service: usize,
    step: u64,
    steps: u64,
    fate: Fate,
}

/// The requests under way, and the clock.
struct Traffic {
    random: Random,
    now: u64,
    open: Vec<Open>,
}

impl Traffic {
    fn new(random: Random) -> Self {
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
    fn step(&mut self) -> Open {
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
fn message(out: &mut Vec<u8>, random: &mut Random, open: &Open) -> usize {
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

const LEVELS: [&str; 5] = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

struct Json {
    traffic: Traffic,
    text: Vec<u8>,
}

impl Json {
    fn new(random: Random) -> Self {
        Json {
            traffic: Traffic::new(random),
            text: Vec::with_capacity(256),
        }
    }
}

impl Entries for Json {
    fn next(&mut self, out: &mut Vec<u8>) {
        let open = self.traffic.step();
        let now = self.traffic.now;
        let random = &mut self.traffic.random;
        self.text.clear();
        let level = message(&mut self.text, random, &open);
        add(out, "{\"timestamp\":\"");
        rfc3339(out, now);
        add(out, "\",\"level\":\"");
        add(out, LEVELS[level]);
        add(out, "\",\"service\":\"");
        add(out, SERVICES[open.service]);
        add(out, "\",\"host\":\"app-");
        padded(out, open.id % 64 + 1, 3);
        add(out, ".prod.example.net\",\"message\":\"");
        for &byte in &self.text {
            if byte == b'"' {
                out.push(b'\\');
            }
            out.push(byte);
        }
        add(out, "\",\"logger\":\"com.shop.");
        add(out, SERVICES[open.service]);
        add(out, ".RequestHandler\",\"request_id\":\"");
        hex(out, open.id, 16);
        if open.step == 0 {
            add(out, "\",\"trace_id\":\"");
            hex(out, open.id.rotate_left(17), 16);
            hex(out, !open.id, 16);
        }
        add(out, "\",\"user_id\":");
        number(out, open.user);
        add(out, ",\"status\":");
        let status = match (level, random.below(20)) {
            (3.., choice) => [500, 502, 503, 504][choice as usize % 4],
            (_, 0) => 404,
            (_, 1..=3) => 201,
            _ => 200,
        };
        number(out, status);
        add(out, ",\"duration_ms\":");
        let duration = random.skewed(11_000) * if level >= 3 { 9 } else { 1 };
        number(out, duration / 100);
        out.push(b'.');
        padded(out, duration % 100, 2);
        if random.chance(120) {
            // A nested object that repeats names from outside.
            add(out, ",\"ctx\":{\"region\":\"eu-central-1\",\"status\":");
            number(out, random.below(10));
            add(out, ",\"retry\":{\"attempt\":");
            number(out, random.range(1, 4));
            add(out, "}}");
        }
        add(out, "}\n");
    }
}

const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.2 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.17.0",
];

const SECTIONS: [&str; 8] = [
    "account",
    "api/v1/cart",
    "api/v1/items",
    "blog",
    "category",
    "img",
    "products",
    "static/js",
];

struct Access {
    random: Random,
    now: u64,
    paths: Vec<String>,
    popularity: Popularity,
    clients: Vec<[u8; 4]>,
    visits: Popularity,
}

impl Access {
    fn new(mut random: Random) -> Self {
        let paths = (0..5_000).map(|page| {
            let section = random.pick(&SECTIONS);
            let ending = random.pick(&["", ".html", ".js", ".png", "/reviews", ".json"]);
            format!("/{section}/{page}-{:05x}{ending}", random.below(1 << 20))
        });
        let paths: Vec<String> = paths.collect();
        let clients: Vec<[u8; 4]> = (0..20_000)
            .map(|_| (random.next() as u32 | 0x0100_0000).to_be_bytes())
            .collect();
        let popularity = Popularity::new(paths.len() as u64);
        let visits = Popularity::new(clients.len() as u64);
        Access {
            random,
            now: BEGIN,
            paths,
            popularity,
            clients,
            visits,
        }
    }
}

impl Entries for Access {
    fn next(&mut self, out: &mut Vec<u8>) {
        let random = &mut self.random;
        self.now += random.below(20);
        for (index, octet) in self.clients[self.visits.draw(random)].iter().enumerate() {
            if index > 0 {
                out.push(b'.');
            }
            number(out, u64::from(*octet));
        }
        add(out, " - ");
        if random.chance(50) {
            add(out, "user");
            number(out, random.below(5_000));
        } else {
            out.push(b'-');
        }
        add(out, " [");
        common_log(out, self.now);
        add(out, "] \"");
        add(
            out,
            random.pick(&[
                "GET", "GET", "GET", "GET", "GET", "GET", "GET", "POST", "HEAD", "PUT",
            ]),
        );
        out.push(b' ');
        add(out, &self.paths[self.popularity.draw(random)]);
        if random.chance(150) {
            add(out, "?page=");
            number(out, random.range(1, 200));
        }
        add(out, " HTTP/1.1\" ");
        let status = match random.below(1000) {
            0..=819 => 200,
            820..=889 => 304,
            890..=909 => 301,
            910..=969 => 404,
            970..=979 => 403,
            980..=987 => 500,
            988..=993 => 502,
            994..=996 => 499,
            _ => 503,
        };
        number(out, status);
        out.push(b' ');
        number(
            out,
            if status == 304 {
                0
            } else {
                random.skewed(4_000)
            },
        );
        add(out, " \"");
        match random.below(3) {
            0 => out.push(b'-'),
            1 => add(out, "https://shop.example/"),
            _ => {
                add(out, "https://shop.example");
                add(out, &self.paths[self.popularity.draw(random)]);
            }
        }
        add(out, "\" \"");
        add(out, random.pick(&AGENTS));
        add(out, "\"\n");
    }
}

const FRAMES: [&str; 8] = [
    "com.shop.orders.OrderRepository.insert(OrderRepository.java",
    "com.shop.orders.OrderService.place(OrderService.java",
    "com.shop.http.Dispatcher.dispatch(Dispatcher.java",
    "com.zaxxer.hikari.pool.HikariPool.getConnection(HikariPool.java",
    "java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java",
    "java.base/java.lang.Thread.run(Thread.java",
    "org.postgresql.core.v3.QueryExecutorImpl.execute(QueryExecutorImpl.java",
    "org.postgresql.jdbc.PgStatement.executeInternal(PgStatement.java",
];

struct Plain {
    traffic: Traffic,
    text: Vec<u8>,
}

impl Plain {
    fn new(random: Random) -> Self {
        Plain {
            traffic: Traffic::new(random),
            text: Vec::with_capacity(256),
        }
    }
}

impl Entries for Plain {
    fn next(&mut self, out: &mut Vec<u8>) {
        let open = self.traffic.step();
        let now = self.traffic.now;
        let random = &mut self.traffic.random;
        self.text.clear();
        let level = message(&mut self.text, random, &open);
        spaced(out, now, b',');
        out.push(b' ');
        add(out, ["DEBUG", "INFO ", "WARN ", "ERROR", "FATAL"][level]);
        add(out, " [");
        add(out, SERVICES[open.service]);
        add(out, "] ");
        out.extend_from_slice(&self.text);
        add(out, " request_id=");
        hex(out, open.id, 16);
        add(out, " took=");
        number(out, random.skewed(110));
        add(out, "ms\n");
        if level >= 3 && random.chance(500) {
            add(
                out,
                "java.lang.IllegalStateException: no connection within the deadline\n",
            );
            for _ in 0..random.range(6, 28) {
                add(out, "\tat ");
                add(out, random.pick(&FRAMES));
                out.push(b':');
                number(out, random.range(20, 900));
                add(out, ")\n");
            }
        }
    }
}
