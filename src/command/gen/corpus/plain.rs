//! A log4j log: time, level, component, message; half of the errors bring a stack trace of many lines.

use super::super::calendar::{hex, number, spaced};
use super::super::random::Random;
use super::traffic::{SERVICES, Traffic, message};
use super::{Entries, add};

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

pub struct Plain {
    traffic: Traffic,
    text: Vec<u8>,
}

impl Plain {
    pub fn new(random: Random) -> Self {
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
