//! Lines that are already what rows would write of them.

use multiversion::multiversion;
use smallvec::SmallVec;

use super::walk;
use crate::entry::FieldKind;

/// Members that are held against each other for their names.
const MOST: usize = 24;

/// Whether the object of all fields, as rows write it, is certainly this text: printable ASCII without escapes, no space
/// between the tokens, no key twice. Most loggers write so, and to see that is a fifth of the work of writing it again.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
pub(super) fn is_as_written(raw: &[u8]) -> bool {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') & (*byte != b'\\');
    if !raw.iter().fold(true, |all, byte| all & is_plain(byte)) {
        return false;
    }
    let place = |part: &[u8]| (part.as_ptr() as usize).wrapping_sub(raw.as_ptr() as usize);
    let mut keys: SmallVec<[&[u8]; MOST]> = SmallVec::new();
    let mut is_same = raw.first() == Some(&b'{');
    // Where the next member has to begin: behind the brace, and behind each comma.
    let mut at = 1;
    let is_object = walk::members(raw, &mut |key, field| {
        let quotes = usize::from(field.kind == FieldKind::Text);
        let value = at + key.text.len() + 3 + quotes;
        is_same = is_same
            && keys.len() < MOST
            && !keys.contains(&key.text)
            && place(key.text) == at + 1
            && place(field.text) == value;
        keys.push(key.text);
        at = value + field.text.len() + quotes + 1;
    });
    is_object.is_some() && is_same && (at == raw.len() || raw == b"{}")
}

#[cfg(test)]
mod tests {
    use super::is_as_written;

    #[test]
    fn what_would_be_written_otherwise_is_told() {
        for same in [
            "{}",
            r#"{"a":1}"#,
            r#"{"a":"b","c":-0.5e3,"d":true,"e":null,"f":{"x": [1, "y"]},"g":[]}"#,
            r#"{"":"","b":""}"#,
        ] {
            assert!(is_as_written(same.as_bytes()), "{same}");
        }
        for other in [
            "",
            " {}",
            "{} ",
            "{ }",
            "[]",
            "{\"a\":1",
            "{\"a\":1}}",
            "{\"a\": 1}",
            "{\"a\" :1}",
            "{ \"a\":1}",
            "{\"a\":1 }",
            "{\"a\":1, \"b\":2}",
            "{\"a\":1 ,\"b\":2}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":\"\\u0041\"}",
            "{\"\\u0041\":1}",
            "{\"a\":\"\u{e9}\"}",
            "{\"a\":\"\u{7f}\"}",
            "{\"a\":{\"b\":\"\\n\"}}",
            "{\"a\":{\n}}",
            "{\"a\":[\"\u{e9}\"]}",
        ] {
            assert!(!is_as_written(other.as_bytes()), "{other}");
        }
        let many = |count: usize| {
            let members: Vec<String> = (0..count).map(|key| format!("\"{key}\":{key}")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(is_as_written(many(super::MOST).as_bytes()));
        assert!(!is_as_written(many(super::MOST + 1).as_bytes()));
    }
}
