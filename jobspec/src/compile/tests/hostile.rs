//! Inputs that no person would write: an answer, of whatever kind, and no panic. They are made here, as files of
//! this size have no place in a repository.

use super::*;

#[test]
fn hostile_input_is_answered() {
    let chain = |count: usize| vec!["a = 1"; count].join(" OR ");
    let many =
        |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a long chain", format!("{SMALL}[select.s]\nwhere = '{}'\n", chain(200_000)).into()),
        ("a chain that fits", format!("{SMALL}[select.s]\nwhere = '{}'\n", chain(3_000)).into()),
        ("parentheses", format!("{SMALL}[select.s]\nwhere = '{}a{}'\n", "(".repeat(50_000), ")".repeat(50_000)).into()),
        ("NOTs", format!("{SMALL}[select.s]\nwhere = '{} a = 1'\n", "NOT ".repeat(10_000)).into()),
        ("minuses", format!("{SMALL}[select.s]\nwhere = '{}1 = 1'\n", "- ".repeat(10_000)).into()),
        ("nested lists", format!("a = {}", "[".repeat(2_000_000)).into()),
        ("nested tables", format!("a = {}", "{a = ".repeat(1_000_000)).into()),
        ("a key of many parts", format!("{}a = 1", "a.".repeat(5_000_000)).into()),
        ("a header of many parts", format!("[{}a]\n", "a.".repeat(1_000_000)).into()),
        ("headers", "[a]\n".repeat(400_000).into()),
        ("tables of a list", "[[check]]\n".repeat(200_000).into()),
        ("unknown keys", many(100_000, &|index| format!("k{index} = 1\n")).into()),
        ("no TOML at all", "= ] [ \" ' \n".repeat(200_000).into()),
        ("one long line", format!("a = '{}", "x".repeat(10 << 20)).into()),
        ("one long key", format!("{} = 1\n", "x".repeat(10 << 20)).into()),
        ("too large", vec![b'#'; LARGEST_FILE + 1]),
        ("NULs", vec![0; 1 << 20]),
        ("a NUL in a path", format!("{SMALL}[output]\ndir = \"a\\u0000b\"\n").into()),
        ("invalid UTF-8", [SMALL.as_bytes(), b"# \xff\xfe\n"].concat()),
        ("half a character", [SMALL.as_bytes(), b"# \xe2\x82"].concat()),
        ("a huge range", "[hosts.web]\nssh = ['web[1-999999999]', 'w[0-9999][0-9999][0-9999]', 'x[1-99999999999999999999]']\n[logs.a]\npaths = ['/x']\n".into()),
        ("many ranges", format!("[hosts.web]\nssh = [{}]\n[logs.a]\npaths = ['/x']\n", "'a[1-90000]',".repeat(50_000)).into()),
        ("many hosts", "[hosts.web]\nssh = ['w[1-100000]']\n[logs.a]\nhosts = ['v1', 'v2', 'w5x']\npaths = ['/x']\n[select.s]\nwhere = \"host = 'w'\"\n".into()),
        ("a regex bomb", format!("{SMALL}[select.s]\nwhere = \"message ~ '(((a{{100}}){{100}}){{100}}){{100}}'\"\n").into()),
        ("a deep regex", format!("{SMALL}[format.f]\npattern = '(?<a>{}a{})'\n", "(".repeat(100_000), ")".repeat(100_000)).into()),
        ("many operators", format!("{SMALL}{}", many(2_000, &|index| format!("[select.s{index}]\n"))).into()),
        ("many unknown logs", format!("{SMALL}{}", many(900, &|index| format!("[select.s{index}]\nlogs = ['x{index}']\n"))).into()),
        ("numbers out of range", format!("{SMALL}[limits]\nthreads = 99999999999999999999\n[run]\nretries = -0\n[anomaly.a]\nof = 'x'\nvalue = 'y'\nthreshold = nan\n").into()),
        ("placeholders", format!("{SMALL}[output]\ndir = '{}'\n", "{".repeat(1 << 20)).into()),
        ("nothing", Vec::new()),
    ];
    for (name, bytes) in cases {
        let answer = compile_bytes(&bytes, &Request::at(NOW));
        match (name, answer) {
            ("a chain that fits" | "placeholders", answer) => {
                assert!(answer.is_ok(), "{name}: {}", answer.unwrap_err())
            }
            (_, Ok(_)) => panic!("{name} compiles"),
            (_, Err(mistakes)) => {
                let shown = mistakes.to_string();
                assert!(shown.starts_with("job.toml:"), "{name}: {shown}");
                assert!(shown.len() < 100_000, "{name}: {} bytes", shown.len());
                assert!(!shown.contains('\0') && !shown.contains('\u{1b}'), "{name}");
            }
        }
    }
}

/// Cutting or damaging a whole job anywhere gives an answer.
#[test]
fn a_damaged_job_is_answered() {
    let text = std::fs::read(testdata("design/job.toml")).unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..60 {
        let mut bytes = text.clone();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            match next(4) {
                0 => bytes.truncate(at),
                1 => bytes[at] = b"\"'[]{}=.,\n\\#\0\x80a"[next(15)],
                2 => {
                    bytes.remove(at);
                }
                _ => bytes.insert(at, b"\"'[]{}=.,\n\\#\0\x80a"[next(15)]),
            }
            if bytes.is_empty() {
                break;
            }
        }
        if let Err(mistakes) = compile_bytes(&bytes, &Request::at(NOW)) {
            assert!(mistakes.to_string().contains(": error: "));
        }
    }
}
