//! Timestamps out of any bytes: a reader that has read others before gives what a fresh one gives, and a leading
//! timestamp lies inside its line.
#![no_main]

use jobspec::zone::Zone;
use libfuzzer_sys::fuzz_target;
use mapper::time::{TimeFormat, TimeReader, YearRule, starts_with_time};

fuzz_target!(|data: &[u8]| {
    let year = YearRule::LatestBefore { mtime_ns: 1_768_867_200_000_000_000 };
    let zone: Zone = "America/New_York".parse().expect("a zone");
    let fresh = || TimeReader::new(zone, year);
    let mut shared = fresh();
    let format = TimeFormat::new("%b %d %H:%M:%S%.f").expect("a time format");
    for text in data.split(|byte| *byte == b'\n') {
        assert_eq!(shared.read(text), fresh().read(text));
        assert_eq!(shared.leading(text), fresh().leading(text));
        assert_eq!(shared.read_as(&format, text), fresh().read_as(&format, text));
        assert_eq!(shared.somewhere(text), fresh().somewhere(text));
        let length = starts_with_time(text);
        assert_eq!(length, fresh().leading(text).map(|(_, length)| length));
        assert!(length.is_none_or(|length| length <= text.len()));
    }
});
