//! Golden mistakes: each file of `testdata/broken` makes one, or several at once, and says so in `.expected`.

use super::*;

/// Every file of `testdata/broken` against what it must say. BLESS=1 writes that anew.
#[test]
fn broken_jobs_say_what_is_wrong() {
    let folder = testdata("broken");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort();
    assert!(files.len() >= 70, "{} files", files.len());
    let bless = std::env::var_os("BLESS").is_some();
    let mut seen: HashMap<String, String> = HashMap::new();
    let mut wrong = Vec::new();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let source = Source {
            name: &name,
            bytes: &bytes,
            folder: &folder,
        };
        let request = Request {
            host_list: &|list| list_in(&folder, list),
            ..Request::at(NOW)
        };
        let shown = match compile(&source, &request) {
            Ok(_) => {
                wrong.push(format!("{name} compiles"));
                continue;
            }
            Err(mistakes) => mistakes.to_string(),
        };
        assert!(shown.contains(": error: "), "{name}:\n{shown}");
        let said = shown.replace(&name, "");
        if let Some(other) = seen.insert(said, name.clone()) {
            wrong.push(format!("{name} and {other} say the same"));
        }
        let expected = path.with_extension("expected");
        if bless {
            std::fs::write(&expected, &shown).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{name} says:\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
