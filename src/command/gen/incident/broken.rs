//! The lines that a reader must survive: torn, binary, empty, very long, or valid against expectation. The facts
//! say what it must still make of each.

use super::super::calendar::{rfc3339, text};
use super::json::Object;
use super::log::Shape;
use super::shop::Shop;
use super::story::{self, at};

impl Shop {
    pub fn broken_lines(&mut self) {
        let time = |moment: u64| text(|out| rfc3339(out, moment));
        // Cut in the middle: the old process was killed while it wrote, and left zeros of a page behind.
        let cut = at(13, 22, 40) + 503;
        let line = format!(
            "{{\"timestamp\":\"{}\",\"level\":\"INFO\",\"service\":\"checkout\",\"version\":\"2.13.4\",\"mess",
            time(cut)
        );
        self.malformed_checkout(cut, line);
        let killed = story::RESTART_FROM + 20;
        let line = format!(
            "{{\"timestamp\":\"{}\",\"level\":\"INFO\",\"service\":\"checkout\",\"version\":\"2.13.4\",\"message\":\"shutd",
            time(killed)
        );
        self.malformed_checkout(killed, line);
        let mut zeros = vec![0; 24];
        zeros.extend_from_slice(b"\xff\xfe\x80\x01\x1b[0m\xc3(");
        self.malformed_checkout(killed + 1, zeros);
        self.checkout.push(story::RESTART_TO + 30, "", Shape::Blank);
        // Valid, and with nothing in it: its time is that of the entry before it.
        let empty = at(14, 33, 20) + 100;
        self.checkout.entry(empty, "{}");
        self.note(empty, "", "", "");

        // A line of several KB: the whole cart of someone who buys for an office.
        let long = at(14, 20, 47) + 118;
        let items = (0..96).map(|item| {
            let product = Object::new()
                .number("id", 1000 + item * 37 % 4000)
                .text("name", "Desk lamp \u{201e}Lund\u{201c}, oak");
            product
                .number("pieces", 1 + item % 4)
                .number("cents", 4_990)
                .end()
        });
        let items = format!("[{}]", items.collect::<Vec<_>>().join(","));
        let entry = self
            .say_checkout(
                long,
                "ERROR",
                "cart snapshot not saved: cart store: connection refused (10.20.0.31:5432)",
            )
            .text("user", "m.okoye")
            .object(
                "ctx",
                Object::new().object("cart", Object::new().raw("items", &items)),
            );
        self.checkout.entry(long, entry.end());

        // A key twice: the last one counts.
        let twice = at(14, 20, 58) + 40;
        let entry = self
            .say_payments(twice, "warn", "ledger health: still down")
            .end()
            .replacen("\"level\":", "\"level\":\"info\",\"level\":", 1);
        self.payments.entry(twice, entry);
        // Bytes that are no UTF-8, inside a text.
        let latin = at(14, 21, 5) + 900;
        let entry = self
            .say_payments(latin, "warn", "webhook refused: sender unknown")
            .text("sender", "caf?-b?rse");
        let bytes = entry.end().into_bytes().into_iter();
        let mut accents = [0xe9, 0xf6].into_iter();
        self.payments.entry(
            latin,
            bytes
                .map(|byte| {
                    if byte == b'?' {
                        accents.next().unwrap_or(byte)
                    } else {
                        byte
                    }
                })
                .collect::<Vec<u8>>(),
        );
        let torn = at(14, 21, 12) + 333;
        let line = format!(
            "{{\"timestamp\":\"{}\",\"level\":\"error\",\"service\":\"payments\",\"message\":\"charge failed: ledger: rea",
            time(torn)
        );
        self.malformed_payments(torn, line);
        let dump = at(14, 21, 13) + 2;
        self.malformed_payments(
            dump,
            b"Segmentation fault (core dumped) \x00\x9f\x8b".as_slice(),
        );
    }

    fn malformed_checkout(&mut self, moment: u64, line: impl Into<Vec<u8>>) {
        self.checkout.push(moment, line, Shape::Malformed);
        self.note(moment, "", "", "");
    }

    fn malformed_payments(&mut self, moment: u64, line: impl Into<Vec<u8>>) {
        self.payments.push(moment, line, Shape::Malformed);
        self.note(moment, "", "", "");
    }
}
