//! `docs/checks.md` is complete: every check with its rule and a test that shows it refuse.
//!
//! `COUNTERSIGN_WRITE_DOCS=1 cargo test --test checks` writes the page anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use countersign::check::Check;

/// Every module's list.
const MODULES: &[(&str, &[&Check])] = &[
    ("encoding", countersign::encoding::checks::ALL),
    ("identity", countersign::identity::checks::ALL),
    ("policy", countersign::policy::checks::ALL),
    ("credential", countersign::credential::checks::ALL),
    ("negotiation", countersign::negotiation::checks::ALL),
    ("transfer", countersign::transfer::checks::ALL),
    ("dsp", countersign::dsp::checks::ALL),
    ("inbox", countersign::inbox::checks::ALL),
    ("operator", countersign::operator::checks::ALL),
    ("gate", countersign::gate::checks::ALL),
    ("node", countersign::node::checks::ALL),
    ("cli", countersign::cli::verify::checks::ALL),
];

/// Checks that no test shows refusing yet.
const PENDING: &[&str] =
    &["message.form", "message.mode", "message.rate", "message.sender", "message.thread", "negotiation.request"];

/// Checks that are declared ahead of the code that will apply them.
const UNAPPLIED: &[&str] = &[];

const HEAD: &str = "# Checks

Every rule that hostile input is held against. Logs, verdicts, evidence and refusals name a check by its id; an id keeps
its meaning for good. The last column names a test in which the check refuses.

| Id | Rule | Shown by |
|---|---|---|
";

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    id: String,
    rule: String,
    shown_by: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> PathBuf {
    root().join("docs/checks.md")
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(page()).unwrap_or_default();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.map(|row| {
        let cells: Vec<_> = row.split(" | ").collect();
        assert_eq!(cells.len(), 3, "{row}");
        let shown_by = cells[2].trim_matches('`').to_owned();
        Row { id: cells[0].trim_end_matches('`').to_owned(), rule: cells[1].replace("\\<", "<"), shown_by }
    })
    .collect()
}

fn declared() -> Vec<(&'static str, &'static Check)> {
    let all = MODULES.iter().flat_map(|(module, checks)| checks.iter().map(|check| (*module, *check)));
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(_, check)| check.id());
    all
}

/// `NAME = "id"` of every declaration in the source text, by module.
fn names() -> BTreeMap<&'static str, (String, String)> {
    let mut names = BTreeMap::new();
    for (path, text) in texts("src") {
        let Some(at) = text.find("crate::checks! {") else { continue };
        let module = path.trim_start_matches("src/").split('/').next().unwrap().to_owned();
        for line in text[at..].lines().skip(1) {
            let Some((name, rest)) = line.trim().split_once(" = \"") else { continue };
            let id = rest.split('"').next().unwrap();
            let check = declared().into_iter().find(|(of, check)| *of == module && check.id() == id);
            let (_, check) = check.unwrap_or_else(|| panic!("{id} of {path} is in no list of this test"));
            names.insert(check.id(), (module.clone(), name.to_owned()));
        }
    }
    names
}

fn texts(below: &str) -> Vec<(String, String)> {
    fn walk(path: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    walk(&root().join(below), &mut paths);
    paths.sort();
    let name = |path: &Path| path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// Test code by file: all of `tests/` but this one, the test modules of `src`, and what stands behind `#[cfg(test)]`.
fn test_texts() -> Vec<(String, String)> {
    let mut all = texts("tests");
    all.retain(|(path, _)| path != "tests/checks.rs");
    for (path, text) in texts("src") {
        if path.ends_with("/tests.rs") || path.contains("/tests/") {
            all.push((path, text));
        } else if let Some(at) = text.find("#[cfg(test)]\nmod tests {") {
            // The imports in front say what `checks` means under `use super::*`.
            let imports: String = text[..at].split_inclusive(';').filter(|part| part.contains("use ")).collect();
            all.push((path, format!("{imports}\n{}", &text[at..])));
        }
    }
    all
}

/// What each name of a list of checks means in a file: alias to module.
fn aliases(path: &str, text: &str) -> BTreeMap<String, String> {
    let mut aliases = BTreeMap::new();
    if let Some(inside) = path.strip_prefix("src/") {
        aliases.insert("checks".to_owned(), inside.split('/').next().unwrap().to_owned());
    }
    for (at, _) in text.match_indices("use ") {
        let statement: String =
            text[at + 4..].split(';').next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        for &(module, _) in MODULES {
            let Some(inner) = statement.find(&format!("{module}::")) else { continue };
            let inner = &statement[inner + module.len() + 2..];
            // The nearest braces, or the rest of a path without any.
            let list = match inner.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap(),
                None => inner.split([',', '}']).next().unwrap(),
            };
            for item in list.split(',').map(str::trim) {
                match item.split_once(" as ") {
                    Some(("checks", alias)) => drop(aliases.insert(alias.to_owned(), module.to_owned())),
                    None if item == "checks" => drop(aliases.insert("checks".to_owned(), module.to_owned())),
                    _ => {}
                }
            }
        }
    }
    aliases
}

/// Every test function that names a check, by the check's id: `path: function`.
fn shown() -> BTreeMap<&'static str, BTreeSet<String>> {
    let names = names();
    let mut shown: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in test_texts() {
        let aliases = aliases(&path, &text);
        for (id, (module, name)) in &names {
            let mut ways: Vec<String> =
                aliases.iter().filter(|(_, of)| *of == module).map(|(alias, _)| format!("{alias}::{name}")).collect();
            ways.push(format!("{module}::checks::{name}"));
            ways.push(format!("\"{id}\""));
            for way in ways {
                for (at, _) in text.match_indices(&way) {
                    let before = text[..at].chars().next_back();
                    let after = text[at + way.len()..].chars().next();
                    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
                    let quoted = way.starts_with('"');
                    if quoted || (!before.is_some_and(word) && !after.is_some_and(|c| c.is_alphanumeric() || c == '_'))
                    {
                        shown.entry(id).or_default().insert(format!("{path}: {}", function(&text, at)));
                    }
                }
            }
        }
    }
    shown
}

/// The test around `at`, or the first one behind it when a table or another function names the check for it.
fn function(text: &str, at: usize) -> String {
    let named = |from: usize| {
        let rest = &text[from..];
        let rest = &rest[rest.find("fn ").map_or(0, |fun| fun + 3)..];
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned()
    };
    let marks = ["#[test]", "#[tokio::test"];
    let test_before = marks.iter().filter_map(|mark| text[..at].rfind(mark)).max();
    let other_before = text[..at].rfind("\nfn ").max(text[..at].rfind("\n    fn "));
    let test_behind = marks.iter().filter_map(|mark| text[at..].find(mark)).min().map(|behind| at + behind);
    match (test_before, other_before, test_behind) {
        // The nearest function is the test itself when only attributes lie between.
        (Some(test), Some(other), _) if other > test && text[test..other].matches("fn ").count() == 0 => named(test),
        (Some(test), None, _) => named(test),
        (Some(test), Some(other), _) if other < test => named(test),
        (_, _, Some(behind)) => named(behind),
        (Some(test), ..) => named(test),
        _ => "(no test)".to_owned(),
    }
}

fn written(kept: &[Row]) -> String {
    let shown = shown();
    let mut text = HEAD.to_owned();
    for (_, check) in declared() {
        let tests = shown.get(check.id());
        let before = kept.iter().find(|row| row.id == check.id()).map(|row| row.shown_by.clone());
        let test = before.filter(|name| tests.is_some_and(|tests| tests.contains(name)));
        let test = test.or_else(|| tests.and_then(|tests| tests.first().cloned()));
        let test = test.map_or_else(String::new, |test| format!("`{test}`"));
        text.push_str(&format!("| `{}` | {} | {test} |\n", check.id(), check.rule().replace('<', "\\<")));
    }
    text
}

#[test]
fn ids_are_well_formed_and_unique() {
    let mut ids = BTreeSet::new();
    for (module, check) in declared() {
        assert!(ids.insert(check.id()), "{} stands twice, the second time in {module}", check.id());
        let letters =
            |part: &str| !part.is_empty() && part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        assert!(check.id().contains('.') && check.id().split('.').all(letters), "{}", check.id());
        assert!(!check.rule().contains(['\n', '|']), "{}", check.id());
        assert!(
            !check.rule().is_empty() && (!check.rule().ends_with('.') || check.rule().ends_with("...")),
            "{}",
            check.id()
        );
    }
    let named: BTreeSet<_> = names().into_keys().collect();
    assert_eq!(named, ids, "the lists of this test and the declarations in the source");
}

#[test]
fn every_check_is_applied() {
    let code: Vec<_> = texts("src").into_iter().filter(|(path, _)| !path.ends_with("checks.rs")).collect();
    let applied = |module: &str, name: &str| {
        code.iter().any(|(path, text)| {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            // Modules above apply their neighbours' checks too, so the module's name only has to stand in the file.
            (path.starts_with(&format!("src/{module}/")) || text.contains(&format!("{module}::")))
                && !path.contains("/tests")
                && text
                    .match_indices(name)
                    .any(|(at, _)| !text[at + name.len()..].starts_with(word) && text[..at].ends_with("::"))
        })
    };
    let unused: Vec<_> =
        names().into_iter().filter(|(_, (module, name))| !applied(module, name)).map(|(id, _)| id).collect();
    let unused: Vec<_> = unused.iter().filter(|id| !UNAPPLIED.contains(id)).collect();
    assert!(unused.is_empty(), "no code applies {unused:?}");
}

#[test]
fn the_page_is_complete() {
    if std::env::var_os("COUNTERSIGN_WRITE_DOCS").is_some() {
        fs::write(page(), written(&rows())).unwrap();
    }
    let rows = rows();
    let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
    assert!(ids.is_sorted(), "the table is not sorted by id");
    let page: Vec<_> = rows.iter().map(|row| (row.id.as_str(), row.rule.as_str())).collect();
    let declared: Vec<_> = declared().into_iter().map(|(_, check)| (check.id(), check.rule())).collect();
    let missing: Vec<_> = declared.iter().filter(|row| !page.contains(row)).collect();
    let stale: Vec<_> = page.iter().filter(|row| !declared.contains(row)).collect();
    assert_eq!((missing, stale), (vec![], vec![]), "COUNTERSIGN_WRITE_DOCS=1 cargo test --test checks");
    assert_eq!(page.len(), declared.len());
}

#[test]
fn every_check_is_shown_by_a_test() {
    let shown = shown();
    let all = declared();
    let pending: Vec<_> = all.iter().map(|(_, check)| check.id()).filter(|id| !shown.contains_key(id)).collect();
    println!("without a test: {pending:#?}");
    let new: Vec<_> = pending.iter().filter(|id| !PENDING.contains(id)).collect();
    assert!(new.is_empty(), "no test names {new:?}");
    let done: Vec<_> = PENDING.iter().filter(|id| !pending.contains(id)).collect();
    println!("to be struck off PENDING: {done:#?}");
    for row in rows().iter().filter(|row| !row.shown_by.is_empty()) {
        let tests = shown.get(row.id.as_str());
        let known = tests.is_some_and(|tests| tests.contains(&row.shown_by));
        assert!(
            known,
            "{} is not shown by `{}`: COUNTERSIGN_WRITE_DOCS=1 cargo test --test checks",
            row.id, row.shown_by
        );
    }
}
