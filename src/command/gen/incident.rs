//! An incident to try everything on: three nodes, six logs, one afternoon. checkout 2.14.0 is deployed at 14:02
//! and waits less for payments, but asks more often; at 14:20 the database's primary is lost, at 14:21:30 the
//! standby is promoted, and the retries keep it slow until 14:31. Besides, someone tries passwords. The corpus
//! for one seed is kept in `testdata/jobs/incident`; `Facts` says what readers and operators must find in it.

mod broken;
mod events;
mod facts;
mod json;
mod ledger;
mod log;
mod payments;
mod postgres;
mod purchase;
mod shop;
mod story;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder};

pub use facts::Facts;
pub use log::File;

use log::{Cut, Ending};
use shop::Shop;
use story::at;

/// The job that goes with the logs.
pub const JOB: &str = include_str!("../../../testdata/jobs/incident/job.toml");

/// Writes `logs/{host}/…` and `job.toml` into the folder, which is made where it is not there.
pub fn write(folder: &Path, seed: u64) -> io::Result<()> {
    for file in build(seed).0 {
        let path = folder.join("logs").join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        if file.path.ends_with(".gz") {
            // No name and no time of its own in the header: the same bytes every time.
            let mut compressed = GzBuilder::new()
                .mtime(0)
                .write(Vec::new(), Compression::best());
            compressed.write_all(&file.bytes)?;
            fs::write(path, compressed.finish()?)?;
        } else {
            fs::write(path, file.bytes)?;
        }
    }
    fs::write(folder.join("job.toml"), JOB)
}

/// What `write` would write, uncompressed, and what is in it.
pub fn build(seed: u64) -> (Vec<File>, Facts) {
    let mut shop = Shop::new(seed);
    shop.traffic();
    shop.ledger_background();
    shop.postgres_background();
    shop.events();
    shop.broken_lines();
    let mut facts = shop.facts;
    let mut files = Vec::new();
    files.extend(shop.access.files(&[
        ("node-a/access.log.2.gz", Ending::Lf, Cut::At(at(13, 40, 0))),
        ("node-a/access.log.1", Ending::Lf, Cut::At(at(14, 24, 30))),
        ("node-a/access.log", Ending::Lf, Cut::End),
    ]));
    files.extend(shop.checkout.files(&[
        (
            "node-a/checkout.jsonl.2.gz",
            Ending::Lf,
            Cut::At(at(13, 45, 0)),
        ),
        (
            "node-a/checkout.jsonl.1",
            Ending::Lf,
            Cut::At(at(14, 20, 42)),
        ),
        ("node-a/checkout.jsonl", Ending::Lf, Cut::End),
    ]));
    files.extend(shop.payments.files(&[
        (
            "node-b/payments.jsonl.2.gz",
            Ending::Lf,
            Cut::At(at(13, 50, 0)),
        ),
        (
            "node-b/payments.jsonl.1",
            Ending::Crlf,
            Cut::At(at(14, 22, 10)),
        ),
        ("node-b/payments.jsonl", Ending::LfButLast, Cut::End),
    ]));
    files.extend(
        shop.ledger
            .files(&[("node-c/ledger.log", Ending::Lf, Cut::End)]),
    );
    files.extend(shop.postgres.files(&[
        (
            "node-c/postgres.log.1",
            Ending::Lf,
            Cut::InsideEntry(at(14, 21, 0)),
        ),
        ("node-c/postgres.log", Ending::Lf, Cut::End),
    ]));
    facts.files = files.iter().map(|file| file.facts.clone()).collect();
    (files, facts)
}

pub fn facts(seed: u64) -> Facts {
    build(seed).1
}
