//! The JSON walker against another parser: what it takes for an object, serde_json takes too, and the other way
//! round but for what the two define apart (invalid UTF-8, half surrogate pairs, numbers beyond a double).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mapper::format::json::is_object;
use serde::de::IgnoredAny;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if text.contains("\\u") || text.contains(['e', 'E']) {
        return;
    }
    let theirs = serde_json::from_str::<std::collections::HashMap<String, IgnoredAny>>(text);
    assert_eq!(is_object(data), theirs.is_ok(), "{text}");
});
