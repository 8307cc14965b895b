//! Application logs in JSON: services, levels, requests told from start to end, and now and then a nested object
//! that repeats names from outside, to fool who searches for a key as bytes.

use super::super::calendar::{hex, number, padded, rfc3339};
use super::super::random::Random;
use super::traffic::{SERVICES, Traffic, message};
use super::{Entries, add};

const LEVELS: [&str; 5] = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

pub struct Json {
    traffic: Traffic,
    text: Vec<u8>,
}

impl Json {
    pub fn new(random: Random) -> Self {
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
