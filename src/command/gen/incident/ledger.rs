//! The ledger on node-c: a Java service that posts each charge into the database, and says so in a log4j log,
//! with stack traces. Its times are node-c's.

use super::super::calendar::{spaced, text};
use super::purchase::{Request, order};
use super::shop::{Shop, in_hour};
use super::story::{self, AHEAD_MS, Database, at};

pub enum Posting {
    Done(u64),
    Failed(u64, &'static str),
}

impl Posting {
    pub fn end(&self) -> u64 {
        match self {
            Posting::Done(end) | Posting::Failed(end, _) => *end,
        }
    }
}

const CALLERS: &str = "\
\tat com.shop.ledger.PostingRepository.insert(PostingRepository.java:88)
\tat com.shop.ledger.PostingService.post(PostingService.java:141)
\tat com.shop.ledger.PostingController.post(PostingController.java:57)";

impl Shop {
    pub fn post(&mut self, moment: u64, request: &mut Request) -> Posting {
        request.reached_ledger = true;
        let arrived = moment + self.random.range(1, 4);
        match story::database(arrived) {
            Database::Lost if self.random.chance(400) => self.refused(arrived, request),
            Database::Lost => self.hung(arrived, request),
            Database::ReadOnly => self.read_only(arrived, request),
            Database::Recovering if arrived < at(14, 23, 30) && self.random.chance(140) => {
                self.too_many(arrived, request)
            }
            Database::Healthy | Database::Recovering => self.posted(arrived, request),
        }
    }

    fn posted(&mut self, moment: u64, request: &mut Request) -> Posting {
        let tenths = self.random.skewed(750) * story::strain(moment) / 100;
        let mut took = 1 + tenths / 10;
        if let Some(posted) = request.posted {
            // The unique index makes a second insert wait until the first is through.
            took = took.max((posted + 2).saturating_sub(moment));
        }
        let end = moment + took;
        if request.posted.is_some() {
            self.duplicate_key(end, request);
            let message = format!(
                "order {} is posted already, answered from the books",
                order(request)
            );
            self.say_ledger(end, "WARN ", "PostingService", &message, Some(request), "");
            return Posting::Done(end);
        }
        request.posted = Some(end);
        // The database notes how long a statement took only where it succeeded.
        if took >= 1_000 {
            self.slow_statement(end, took * 10 + tenths % 10, request);
        }
        let message = format!(
            "posted order {} amount={}.{:02} EUR in {took}ms",
            order(request),
            request.cents / 100,
            request.cents % 100
        );
        self.say_ledger(end, "INFO ", "PostingService", &message, Some(request), "");
        Posting::Done(end)
    }

    fn refused(&mut self, moment: u64, request: &Request) -> Posting {
        let end = moment + self.random.range(3, 12);
        let trace = format!(
            "org.postgresql.util.PSQLException: Connection to {} refused. Check that the hostname and port are correct and that the postmaster is accepting TCP/IP connections.\n\
             \tat org.postgresql.core.v3.ConnectionFactoryImpl.openConnectionImpl(ConnectionFactoryImpl.java:352)\n\
             \tat com.zaxxer.hikari.pool.PoolBase.newConnection(PoolBase.java:364)\n\
             {CALLERS}\n\
             Caused by: java.net.ConnectException: Connection refused\n\
             \tat java.base/sun.nio.ch.Net.pollConnect(Native Method)\n\
             \tat org.postgresql.core.PGStream.createSocket(PGStream.java:260)\n\
             \t... 31 more",
            story::PRIMARY
        );
        self.failed(
            end,
            request,
            &format!("connection refused ({})", story::PRIMARY),
            &trace,
        );
        Posting::Failed(end, "connection refused (10.20.0.31:5432)")
    }

    fn hung(&mut self, moment: u64, request: &Request) -> Posting {
        let end = moment + 10_000 + self.random.range(2, 30);
        let trace = format!(
            "org.postgresql.util.PSQLException: An I/O error occurred while sending to the backend.\n\
             \tat org.postgresql.core.v3.QueryExecutorImpl.execute(QueryExecutorImpl.java:412)\n\
             {CALLERS}\n\
             Caused by: java.net.SocketTimeoutException: Read timed out\n\
             \tat java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:278)\n\
             \t... 24 more"
        );
        self.failed(
            end,
            request,
            "no answer from the database within 10000ms",
            &trace,
        );
        Posting::Failed(end, "no answer from the database")
    }

    fn read_only(&mut self, moment: u64, request: &Request) -> Posting {
        let end = moment + self.random.range(5, 20);
        self.refused_write(end, request);
        let trace = format!(
            "org.postgresql.util.PSQLException: ERROR: cannot execute INSERT in a read-only transaction\n\
             \tat org.postgresql.core.v3.QueryExecutorImpl.receiveErrorResponse(QueryExecutorImpl.java:2733)\n\
             {CALLERS}\n\
             \t... 22 more"
        );
        self.failed(end, request, "read-only transaction", &trace);
        Posting::Failed(end, "read-only transaction")
    }

    fn too_many(&mut self, moment: u64, request: &Request) -> Posting {
        let end = moment + self.random.range(2, 9);
        self.too_many_clients(end);
        let trace = format!(
            "org.postgresql.util.PSQLException: FATAL: sorry, too many clients already\n\
             \tat org.postgresql.core.v3.ConnectionFactoryImpl.doAuthentication(ConnectionFactoryImpl.java:711)\n\
             {CALLERS}"
        );
        self.failed(end, request, "too many clients", &trace);
        Posting::Failed(end, "too many clients")
    }

    fn failed(&mut self, moment: u64, request: &Request, reason: &str, trace: &str) {
        let message = format!("posting of order {} failed: {reason}", order(request));
        self.say_ledger(
            moment,
            "ERROR",
            "PostingService",
            &message,
            Some(request),
            trace,
        );
    }

    /// An entry, with the ids that the ledger was given and the lines that follow.
    pub fn say_ledger(
        &mut self,
        moment: u64,
        level: &'static str,
        component: &str,
        message: &str,
        request: Option<&Request>,
        trace: &str,
    ) {
        let shown = moment + AHEAD_MS;
        self.note(shown, "ledger", level.trim_end(), message);
        let time = text(|out| spaced(out, shown, b','));
        let mut lines = format!("{time} {level} [{component}] {message}");
        if let Some(request) = request {
            lines.push_str(" trace_id=");
            lines.push_str(&request.trace);
        }
        if !trace.is_empty() {
            lines.push('\n');
            lines.push_str(trace);
        }
        self.ledger.entry_lines(moment, &lines);
    }

    /// What the ledger says without being asked.
    pub fn ledger_background(&mut self) {
        let mut moment = story::BEGIN + 11_400;
        while moment < story::END {
            let (active, waiting) = match story::database(moment) {
                Database::Healthy => (self.random.below(4), 0),
                Database::Lost | Database::ReadOnly => (0, self.random.range(6, 24)),
                Database::Recovering => (10, story::strain(moment) / 60),
            };
            let total = if active == 0 && waiting > 0 { 0 } else { 10 };
            let level = if waiting > 0 { "WARN " } else { "DEBUG" };
            let message = format!(
                "HikariPool-1 - Pool stats (total={total}, active={active}, idle={}, waiting={waiting})",
                total - active
            );
            self.say_ledger(moment, level, "HikariPool", &message, None, "");
            moment += if in_hour(moment) { 60_000 } else { 180_000 };
        }
        let chrony = "clock is 2.003 s ahead of the time server, which did not answer since 2026-01-17T03:12:09Z";
        self.say_ledger(at(13, 5, 2), "WARN ", "ClockCheck", chrony, None, "");
        self.say_ledger(at(14, 5, 2), "WARN ", "ClockCheck", chrony, None, "");
        self.say_ledger(
            at(14, 21, 31) + 402,
            "INFO ",
            "HikariPool",
            "HikariPool-1 - Added connection org.postgresql.jdbc.PgConnection@5f2b1c7e",
            None,
            "",
        );
        let settled = "settled 214 postings of the last hour, difference 0.00 EUR";
        self.say_ledger(at(14, 0, 5), "INFO ", "SettlementJob", settled, None, "");
        self.say_ledger(
            at(14, 58, 30),
            "INFO ",
            "SettlementJob",
            "books balanced after failover, no posting twice, difference 0.00 EUR",
            None,
            "",
        );
    }
}
