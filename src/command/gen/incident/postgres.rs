//! The database on node-c: the standby that becomes the primary. Its log has PostgreSQL's own shape: DETAIL and
//! STATEMENT are lines with a prefix of their own, and what a statement's line ends leave is indented by a tab.

use super::super::calendar::{spaced, text};
use super::purchase::{Request, order};
use super::shop::{Shop, in_hour};
use super::story::{self, AHEAD_MS, Database, at};

/// The processes that a standby's log knows: startup, checkpointer, the receiver of the primary's log.
const STARTUP: u64 = 1188;
const CHECKPOINTER: u64 = 1190;
const RECEIVER: u64 = 1204;

impl Shop {
    fn say_postgres(&mut self, moment: u64, pid: u64, kind: &str, message: &str) {
        let shown = moment + AHEAD_MS;
        let time = text(|out| spaced(out, shown, b'.'));
        self.postgres
            .entry_lines(moment, &format!("{time} UTC [{pid}] {kind}:  {message}"));
        let level = match kind {
            "LOG" => "INFO",
            "ERROR" => "ERROR",
            "FATAL" => "FATAL",
            _ => "",
        };
        self.note(shown, "postgres", level, message);
        self.facts.failed_statements += u64::from(kind == "STATEMENT" && in_hour(shown));
    }

    /// One of the ledger's ten connections.
    fn backend(request: &Request, moment: u64) -> u64 {
        let first = if moment < story::PROMOTED {
            20_410
        } else {
            23_377
        };
        first + request.order % 10 * 3
    }

    fn insert(request: &Request) -> String {
        format!(
            "INSERT INTO postings (order_id, account, amount_cents, currency)\n\
             \tVALUES ('{}', '4400', {}, 'EUR')\n\
             \tRETURNING id /*application='ledger',trace_id='{}'*/",
            order(request),
            request.cents,
            request.trace
        )
    }

    pub fn slow_statement(&mut self, moment: u64, tenths: u64, request: &Request) {
        let digits = tenths % 10 * 100 + request.order % 97;
        let message = format!(
            "duration: {}.{digits:03} ms  statement: {}",
            tenths / 10,
            Shop::insert(request)
        );
        self.say_postgres(moment, Shop::backend(request, moment), "LOG", &message);
    }

    pub fn duplicate_key(&mut self, moment: u64, request: &Request) {
        let pid = Shop::backend(request, moment);
        let message = "duplicate key value violates unique constraint \"postings_order_id_key\"";
        self.say_postgres(moment, pid, "ERROR", message);
        self.say_postgres(
            moment,
            pid,
            "DETAIL",
            &format!("Key (order_id)=({}) already exists.", order(request)),
        );
        self.say_postgres(moment, pid, "STATEMENT", &Shop::insert(request));
        self.facts.duplicates += u64::from(in_hour(moment + AHEAD_MS));
    }

    /// The standby may not write yet.
    pub fn refused_write(&mut self, moment: u64, request: &Request) {
        let pid = Shop::backend(request, moment);
        self.say_postgres(
            moment,
            pid,
            "ERROR",
            "cannot execute INSERT in a read-only transaction",
        );
        self.say_postgres(moment, pid, "STATEMENT", &Shop::insert(request));
        self.facts.read_only += u64::from(in_hour(moment + AHEAD_MS));
    }

    pub fn too_many_clients(&mut self, moment: u64) {
        let pid = self.random.range(23_500, 23_900);
        self.say_postgres(moment, pid, "FATAL", "sorry, too many clients already");
    }

    /// What the database says without being asked.
    pub fn postgres_background(&mut self) {
        self.checkpoints();
        self.reports();
        self.failover();
    }

    fn checkpoints(&mut self) {
        let mut moment = story::BEGIN + 143_207;
        while moment < story::END {
            if matches!(
                story::database(moment),
                Database::Healthy | Database::Recovering
            ) {
                let word = if moment < story::PROMOTED {
                    "restartpoint"
                } else {
                    "checkpoint"
                };
                let buffers = self.random.skewed(400) * story::strain(moment) / 100;
                let written = 20_000 + self.random.below(90_000);
                self.say_postgres(
                    moment,
                    CHECKPOINTER,
                    "LOG",
                    &format!("{word} starting: time"),
                );
                let message = format!(
                    "{word} complete: wrote {buffers} buffers ({}.{}%); 0 WAL file(s) added, 0 removed, 1 recycled; write={}.{:03} s, sync=0.004 s, total={}.{:03} s; sync files=31, longest=0.002 s, average=0.001 s; distance=4093 kB, estimate=4102 kB",
                    buffers * 100 / 16_384,
                    buffers * 1000 / 16_384 % 10,
                    written / 1000,
                    written % 1000,
                    (written + 9) / 1000,
                    (written + 9) % 1000
                );
                self.say_postgres(moment + written + 9, CHECKPOINTER, "LOG", &message);
            }
            moment += 300_000;
        }
    }

    /// The standby also answers the reports; long ones are logged, and recovery now and then cancels one.
    fn reports(&mut self) {
        let mut moment = story::BEGIN + 30_000;
        while moment < story::END {
            let pid = 20_900 + self.random.below(600);
            let query = "SELECT p.account, date_trunc('hour', p.created_at) AS hour, sum(p.amount_cents)\n\
                \tFROM postings p\n\
                \tJOIN accounts a ON a.id = p.account\n\
                \tWHERE p.created_at >= now() - interval '1 day'\n\
                \tGROUP BY 1, 2 /*application='reports'*/";
            if self.random.chance(220) && story::database(moment) == Database::Healthy {
                self.say_postgres(
                    moment,
                    pid,
                    "ERROR",
                    "canceling statement due to conflict with recovery",
                );
                self.say_postgres(
                    moment,
                    pid,
                    "DETAIL",
                    "User query might have needed to see row versions that must be removed.",
                );
                self.say_postgres(moment, pid, "STATEMENT", query);
            } else {
                let tenths = self.random.skewed(17_000) * (story::strain(moment) + 300) / 400;
                let message = format!(
                    "duration: {}.{}07 ms  statement: {query}",
                    tenths / 10,
                    tenths % 10
                );
                self.say_postgres(moment, pid, "LOG", &message);
            }
            moment += self.random.range(150_000, 420_000);
        }
    }

    fn failover(&mut self) {
        let lost = story::PRIMARY_LOST;
        self.say_postgres(
            lost + 812,
            RECEIVER,
            "FATAL",
            "could not receive data from WAL stream: server closed the connection unexpectedly\n\
             \t\tThis probably means the server terminated abnormally\n\
             \t\tbefore or while processing the request.",
        );
        self.say_postgres(
            lost + 815,
            STARTUP,
            "LOG",
            "invalid record length at 3/5A0000D8: expected at least 24, got 0",
        );
        let mut moment = lost + 5_816;
        let mut pid = 23_101;
        while moment < story::PROMOTED - 4_000 {
            self.say_postgres(
                moment,
                pid,
                "FATAL",
                "could not connect to the primary server: connection to server at \"10.20.0.31\", port 5432 failed: Connection refused\n\
                 \t\tIs the server running on that host and accepting TCP/IP connections?",
            );
            self.say_postgres(
                moment + 1,
                STARTUP,
                "LOG",
                "waiting for WAL to become available at 3/5A0000F0",
            );
            moment += 5_004 + self.random.below(3);
            pid += 7;
        }
        let promoted = story::PROMOTED;
        for (before, pid, message) in [
            (3_410, STARTUP, "received promote request"),
            (
                3_402,
                STARTUP,
                "redo done at 3/5A0000A0 system usage: CPU: user: 11.02 s, system: 6.37 s, elapsed: 188412.77 s",
            ),
            (
                3_401,
                STARTUP,
                "last completed transaction was at log time 2026-01-19 14:19:59.714+00",
            ),
            (3_120, STARTUP, "selected new timeline ID: 7"),
            (2_214, STARTUP, "archive recovery complete"),
            (2_190, CHECKPOINTER, "checkpoint starting: force"),
            (0, 1187, "database system is ready to accept connections"),
        ] {
            self.say_postgres(promoted - before, pid, "LOG", message);
        }
        self.say_postgres(at(14, 24, 12) + 377, 23_404, "ERROR", "deadlock detected");
        self.say_postgres(
            at(14, 24, 12) + 377,
            23_404,
            "DETAIL",
            "Process 23404 waits for ShareLock on transaction 918342; blocked by process 23386.\n\
             \tProcess 23386 waits for ShareLock on transaction 918339; blocked by process 23404.\n\
             \tProcess 23404: UPDATE account_balances SET cents = cents + 5990 WHERE account = '4400'\n\
             \tProcess 23386: UPDATE account_balances SET cents = cents - 5990 WHERE account = '1200'",
        );
        self.say_postgres(
            at(14, 24, 12) + 377,
            23_404,
            "HINT",
            "See server log for query details.",
        );
        self.say_postgres(
            at(14, 24, 12) + 377,
            23_404,
            "STATEMENT",
            "UPDATE account_balances SET cents = cents + 5990 WHERE account = '4400'",
        );
    }
}
