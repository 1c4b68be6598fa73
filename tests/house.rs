//! The rules of the house, held against the source text: layers, homes of outside crates, no panics, small files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules that are pure: no async, no clock, no I/O; time and randomness are arguments.
const DOMAIN: [&str; 11] = [
    "check",
    "encoding",
    "identity",
    "policy",
    "credential",
    "negotiation",
    "dsp",
    "transfer",
    "inbox",
    "gate",
    "operator",
];

/// What may stand only at home: a crate or a call, and the paths below `src` that are its home.
const HOMES: [(&str, &[&str]); 11] = [
    ("axum::", &["http/", "registry/devchain/"]),
    ("sqlx::", &["store/"]),
    ("alloy::", &["registry/"]),
    ("revm::", &["registry/"]),
    ("getrandom::", &["node/chance.rs", "registry/", "cli/"]),
    ("SystemTime::now", &["node/chance.rs", "registry/", "cli/"]),
    ("Timestamp::now", &["node/chance.rs", "registry/", "cli/"]),
    ("Zoned::now", &["node/chance.rs", "registry/", "cli/"]),
    ("Instant::now", &["node/chance.rs", "registry/", "cli/"]),
    ("OsRng", &["node/chance.rs", "registry/", "cli/"]),
    ("anyhow::", &["cli/", "main.rs"]),
];

/// Every exception from a home: path, what stands there, why it may.
const AWAY_FROM_HOME: [(&str, &str, &str); 2] = [
    ("node/run.rs", "Instant::now", "spaces the looks at the chain; nothing that is decided rests on it"),
    ("http/guard.rs", "Instant::now", "measures how fast somebody sends; nothing that is decided rests on it"),
];

/// How long a file may be, its tests included.
const LINES: usize = 450;
/// Every longer file, with the reason.
const LONG: [(&str, &str); 0] = [];

/// A file below `src`: its lines outside test code, by number.
struct Source {
    path: String,
    length: usize,
    lines: Vec<(usize, String)>,
}

impl Source {
    fn module(&self) -> &str {
        let (first, _) = self.path.split_once('/').unwrap_or((&self.path, ""));
        first.trim_end_matches(".rs")
    }

    /// The lines that are code, without what stands behind `//`.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let bare = |line: &str| line.find("// ").map_or(line.len(), |at| at);
        self.lines
            .iter()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(move |(number, line)| (*number, &line[..bare(line)]))
    }
}

fn files(below: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    files(&root(), &mut paths);
    paths.sort();
    let sources: Vec<_> = paths
        .iter()
        .map(|path| {
            (path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())
        })
        .filter(|(path, _)| !path.ends_with("/tests.rs") && !path.contains("/tests/"))
        .map(|(path, text)| Source { path, length: text.lines().count(), lines: outside_tests(&text) })
        .collect();
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

/// The lines of `text` without the items that `#[cfg(test)]` precedes.
fn outside_tests(text: &str) -> Vec<(usize, String)> {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let mut kept = Vec::new();
    while let Some((number, line)) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push((number, line.to_owned()));
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let closing = [format!("{indent}}}"), format!("{indent}}};")];
        let mut opened = false;
        for (_, line) in lines.by_ref() {
            opened |= line.ends_with('{');
            if (!opened && line.ends_with(';')) || closing.iter().any(|closing| line == closing) {
                break;
            }
        }
    }
    kept
}

/// The modules of the library, bottom up.
fn order() -> Vec<String> {
    let text = fs::read_to_string(root().join("lib.rs")).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).map(str::to_owned).collect()
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let order = order();
    let rank = |module: &str| order.iter().position(|name| name == module);
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(own) = rank(source.module()) else {
            assert!(matches!(source.path.as_str(), "lib.rs" | "main.rs"), "{} is in no list", source.path);
            continue;
        };
        for (number, line) in source.code() {
            for (at, _) in line.match_indices("crate::") {
                let rest = &line[at + "crate::".len()..];
                let module = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                // `use crate::{a::…, b::…}` would hide its modules; the house writes one `use` for each.
                if rest.starts_with('{') || rank(module).is_some_and(|used| used > own) {
                    wrong.push(format!("src/{}:{number}: {} uses {module}", source.path, source.module()));
                }
            }
        }
    }
    none(&wrong);
}

#[test]
fn outside_crates_and_clocks_stay_at_home() {
    let mut wrong = Vec::new();
    let mut away = BTreeSet::new();
    for source in sources() {
        for (number, line) in source.code() {
            for (what, homes) in HOMES {
                let word = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                let used = line.match_indices(what).any(|(at, _)| word(at));
                if !used || homes.iter().any(|home| source.path.starts_with(home)) {
                    continue;
                }
                match AWAY_FROM_HOME.iter().find(|(path, allowed, _)| (*path, *allowed) == (&*source.path, what)) {
                    Some(exception) => {
                        away.insert(*exception);
                    }
                    None => wrong.push(format!("src/{}:{number}: {what} away from {homes:?}", source.path)),
                }
            }
        }
    }
    none(&wrong);
    assert_eq!(away, BTreeSet::from(AWAY_FROM_HOME), "an exception that nothing needs any more");
}

#[test]
fn the_domain_is_not_async() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| DOMAIN.contains(&source.module())) {
        for (number, line) in source.code() {
            if ["async ", ".await", "tokio::", "std::fs", "std::net", "std::env"].iter().any(|word| line.contains(word))
            {
                wrong.push(format!("src/{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    none(&wrong);
}

#[test]
fn what_could_panic_says_why_it_does_not() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (index, (number, line)) in source.lines.iter().enumerate() {
            let comment = line.trim_start().starts_with("//");
            let panics = [".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!(", "unimplemented!("];
            if comment || !panics.iter().any(|call| line.contains(call)) {
                continue;
            }
            let above = index.checked_sub(1).map(|index| source.lines[index].1.trim_start().to_owned());
            let said = line.contains("// ") || above.is_some_and(|above| above.starts_with("// "));
            if !said {
                wrong.push(format!("src/{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    none(&wrong);
}

#[test]
fn files_are_small() {
    let mut wrong = Vec::new();
    for source in sources() {
        if source.length > LINES && !LONG.iter().any(|(path, _)| *path == source.path) {
            wrong.push(format!("src/{}: {} lines, at most {LINES}", source.path, source.length));
        }
    }
    none(&wrong);
}
