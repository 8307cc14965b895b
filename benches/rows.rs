//! How fast finished rows become files, in bytes a second of one core, and that memory stays flat: ten million rows each,
//! of an aggregate and of a select of whole entries (of these a million). `cargo bench --bench rows`; the folder is
//! $LOGSTITCH_BENCH_DIR, by default one under target/. Until the file is synced, and before that, are told apart.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jobspec::plan::Plan;
use jobspec::value::{Level, OwnedValue, Time, Value};
use mapper::operator::OutputColumn;
use reducer::output::{Csv, Jsonl, Parquet};
use reducer::reduce::RowSink;

fn main() {
    let folder = std::env::var_os("LOGSTITCH_BENCH_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-rows"),
        PathBuf::from,
    );
    std::fs::create_dir_all(&folder).unwrap();
    let plan = Plan::default();
    for (name, columns, rows, count) in [
        (
            "aggregate",
            &["service", "minute", "requests", "p50", "p95", "failed"][..],
            aggregate(),
            10_000_000,
        ),
        (
            "entries",
            &[
                "time", "host", "log", "file", "offset", "level", "message", "raw", "fields",
            ][..],
            entries(),
            1_000_000,
        ),
    ] {
        let columns: Vec<OutputColumn> = columns
            .iter()
            .map(|name| OutputColumn::new(*name))
            .collect();
        let mut jsonl = Jsonl::new(&folder);
        let mut csv = Csv::new(&folder);
        let mut parquet = Parquet::new(&folder, &plan);
        let sinks: [(&str, &mut dyn RowSink); 3] = [
            ("jsonl", &mut jsonl),
            ("csv", &mut csv),
            ("parquet", &mut parquet),
        ];
        for (extension, sink) in sinks {
            let (written, synced) = write(sink, name, &columns, &rows, count);
            let path = folder.join(format!("{name}.{extension}"));
            let bytes = std::fs::metadata(&path).unwrap().len();
            println!(
                "{name}.{extension}: {count} rows, {bytes} bytes, {:.0} MB/s written, {:.0} MB/s synced, {:.2} M rows/s, {} MB resident at most",
                bytes as f64 / written.as_secs_f64() / 1e6,
                bytes as f64 / synced.as_secs_f64() / 1e6,
                count as f64 / synced.as_secs_f64() / 1e6,
                peak_megabytes()
            );
            std::fs::remove_file(&path).unwrap();
        }
    }
}

fn write(
    sink: &mut dyn RowSink,
    name: &str,
    columns: &[OutputColumn],
    rows: &[Vec<OwnedValue>],
    count: usize,
) -> (Duration, Duration) {
    let began = Instant::now();
    sink.begin(name, columns).unwrap();
    for row in rows.iter().cycle().take(count) {
        sink.row(row).unwrap();
    }
    let written = began.elapsed();
    sink.end().unwrap();
    (written, began.elapsed())
}

fn aggregate() -> Vec<Vec<OwnedValue>> {
    let row = |number: i64| {
        vec![
            Value::owned_text(["checkout", "payments", "ledger"][number as usize % 3]),
            Value::Time(Time::from_ns((1_768_831_200 + number * 60) * 1_000_000_000)),
            Value::Int(i128::from(number * 7919 % 100_000)),
            Value::float(number as f64 / 7.0),
            Value::Int(i128::from(number % 5000)),
            Value::Int(0),
        ]
    };
    (0..10_000).map(row).collect()
}

fn entries() -> Vec<Vec<OwnedValue>> {
    let row = |number: i64| {
        let fields = format!(
            r#"{{"timestamp":"2026-01-19T14:42:28.200Z","level":"INFO","service":"checkout","version":"2.14.0","message":"cart updated","request_id":"r-{number:012x}","user":"m.okoye","path":"/api/cart","status":200,"duration_ms":{}}}"#,
            number % 977
        );
        vec![
            Value::Time(Time::new((1_768_831_200_000 + number) * 1_000_000, 3)),
            Value::owned_text("node-a"),
            Value::owned_text("app"),
            Value::owned_text("logs/node-a/checkout.jsonl"),
            Value::Int(i128::from(number * 250)),
            Value::Level(Level::Info),
            Value::owned_text("cart updated"),
            Value::owned_text(fields.clone()),
            Value::Json(std::borrow::Cow::Owned(fields.into())),
        ]
    };
    (0..10_000).map(row).collect()
}

/// The most that was resident so far.
fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
