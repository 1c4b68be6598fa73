use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::checks;
use crate::check::Refusal;

/// The file in which a directory says what is in it, as `sha256sum` writes it. Its own SHA-256 is the asset's, so that a
/// contract's digest reaches every file.
pub const SUMS: &str = "SHA256SUMS";
/// The media type of a directory, as contracts name it: what its own path gives is its `SHA256SUMS`.
pub const DIRECTORY: &str = "application/vnd.countersign.directory";
/// The longest `SHA256SUMS`, in bytes.
pub const MAX_SUMS: usize = 16 * 1024 * 1024;
/// How many files a directory has at most.
pub const MAX_FILES: usize = 100_000;
const MAX_PATH: usize = 1024;
const MAX_SEGMENT: usize = 255;

/// A file of a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Where it is below the directory, with `/` between the segments.
    pub path: String,
    /// SHA-256 of its bytes, 64 lowercase hexadecimal digits.
    pub sha256: String,
}

/// The files of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums(BTreeMap<String, String>);

impl Sums {
    /// Reads what `sha256sum` wrote: `<sha256>  <path>` or `<sha256> *<path>` in each line, a path with `./` in front or
    /// without. Whoever wrote it may mean harm: a path stays below the directory, and nothing has two meanings.
    ///
    /// # Errors
    /// `gate.sums`.
    pub fn read(text: &[u8]) -> Result<Self, Refusal> {
        checks::SUMS.hold(text.len() <= MAX_SUMS, || format!("{} bytes, at most {MAX_SUMS}", text.len()))?;
        let text = std::str::from_utf8(text).map_err(|_| checks::SUMS.refuse("it is no UTF-8"))?;
        let mut files = BTreeMap::new();
        for (number, line) in text.split_terminator('\n').enumerate() {
            let Listed { path, sha256 } =
                listed(line).ok_or_else(|| checks::SUMS.refuse(format!("line {} is none of a file", number + 1)))?;
            checks::SUMS.hold(files.len() < MAX_FILES, || format!("more than {MAX_FILES} files"))?;
            let again = files.insert(path, sha256).is_some();
            checks::SUMS.hold(!again, || format!("line {} is of a file that was named before", number + 1))?;
        }
        checks::SUMS.hold(!files.is_empty(), || "it names no file".into())?;
        let sums = Self(files);
        sums.apart()?;
        Ok(sums)
    }

    /// The sums of these files.
    ///
    /// # Errors
    /// `gate.sums` where they cannot be a directory's.
    pub fn of(files: impl IntoIterator<Item = Listed>) -> Result<Self, Refusal> {
        let text = files.into_iter().fold(String::new(), |mut text, file| {
            // Writing to a String never fails.
            let _ = writeln!(text, "{}  {}", file.sha256, file.path);
            text
        });
        Self::read(text.as_bytes())
    }

    /// What is known of a file.
    pub fn find(&self, path: &str) -> Option<Listed> {
        self.0.get_key_value(path).map(|(path, sha256)| Listed { path: path.clone(), sha256: sha256.clone() })
    }

    /// Every file, by path.
    pub fn files(&self) -> impl ExactSizeIterator<Item = Listed> {
        self.0.iter().map(|(path, sha256)| Listed { path: path.clone(), sha256: sha256.clone() })
    }

    /// The text, a line for each file, by path.
    pub fn text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (path, sha256)| {
            // As above.
            let _ = writeln!(text, "{sha256}  {path}");
            text
        })
    }

    /// Nothing is a file and a directory.
    fn apart(&self) -> Result<(), Refusal> {
        for path in self.0.keys() {
            let mut above = path.match_indices('/').map(|(at, _)| &path[..at]);
            checks::SUMS.hold(!above.any(|above| self.0.contains_key(above)), || {
                format!("`{path}` is below what is a file itself")
            })?;
        }
        Ok(())
    }
}

/// Whether a path names a file below a directory, for everybody in the same way: no segment is empty or begins with a dot,
/// none has a separator of any system, a control letter or one that turns the reading round.
pub fn stays_below(path: &str) -> bool {
    path != SUMS && path.len() <= MAX_PATH && path.split('/').all(is_segment)
}

/// The path below an asset's own that a request names, decoded; `None` where nothing can be there.
pub fn path_below(below: &str) -> Option<String> {
    let segments = below.strip_prefix('/')?.split('/').map(decoded).collect::<Option<Vec<_>>>()?;
    // Before they are joined: what is decoded from one segment is not several.
    segments.iter().all(|segment| is_segment(segment)).then(|| segments.join("/"))
}

fn is_segment(segment: &str) -> bool {
    let turning = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let foreign = |c: char| "/\\:".contains(c) || c.is_control() || turning(c);
    !segment.is_empty() && segment.len() <= MAX_SEGMENT && !segment.starts_with('.') && !segment.contains(foreign)
}

fn listed(line: &str) -> Option<Listed> {
    let (sha256, rest) = line.split_at_checked(64)?;
    let path = rest.strip_prefix("  ").or_else(|| rest.strip_prefix(" *"))?;
    let path = path.strip_prefix("./").unwrap_or(path);
    let hex = sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (hex && stays_below(path)).then(|| Listed { path: path.to_owned(), sha256: sha256.to_owned() })
}

fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high << 4 | low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, Refusal> {
        Sums::read(text.as_bytes()).map(|sums| sums.files().map(|file| file.path).collect())
    }

    fn line(path: &str) -> String {
        format!("{}  {path}\n", "9f".repeat(32))
    }

    #[test]
    fn what_sha256sum_writes_is_read() {
        let one = "9f".repeat(32);
        let text = format!("{one}  b/c d.xodr\n{one} *./a\n{one}  ü.bin");
        assert_eq!(read(&text).unwrap(), ["a", "b/c d.xodr", "ü.bin"]);
        let sums = Sums::read(text.as_bytes()).unwrap();
        assert_eq!(sums.find("a").unwrap(), Listed { path: "a".into(), sha256: one.clone() });
        assert_eq!(sums.find("b"), None);
        assert_eq!(sums.text(), format!("{one}  a\n{one}  b/c d.xodr\n{one}  ü.bin\n"));
        assert_eq!(Sums::of(sums.files()).unwrap(), sums);
        assert_eq!(Sums::read(sums.text().as_bytes()).unwrap(), sums);
    }

    #[test]
    fn a_hostile_list_is_refused() {
        let refused = |text: &str| assert_eq!(read(text).unwrap_err().check, &checks::SUMS, "{text:?}");
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "a/",
            "./",
            ".ssh/authorized_keys",
            "a/.b",
            "a\\b",
            "C:x",
            "a\0b",
            "a\u{1b}[2J",
            "a\r",
            "SHA256SUMS",
            "./SHA256SUMS",
            "././a",
            "a\u{202e}cod.exe",
            &"x".repeat(256),
            &"x/".repeat(600),
        ] {
            refused(&line(path));
        }
        for text in
            ["", "\n", "9f  a\n", &line("a").to_uppercase(), &line("a").replace("  ", " "), &format!("\\{}", line("a"))]
        {
            refused(text);
        }
        refused(&(line("a") + "\n"));
        refused(&(line("a") + &line("./a")));
        refused(&(line("a") + &line("a-b") + &line("a/b")));
        assert_eq!(Sums::read(b"\xff").unwrap_err().check, &checks::SUMS);
        let many: String = (0..=MAX_FILES).map(|number| line(&number.to_string())).collect();
        refused(&many);
        // A file of that name further down is one like others.
        assert_eq!(read(&line("a/SHA256SUMS")).unwrap(), ["a/SHA256SUMS"]);
    }

    #[test]
    fn no_path_leads_out() {
        assert_eq!(path_below("/a/b%20c.xml").unwrap(), "a/b c.xml");
        for out in [
            "",
            "/..",
            "/a/../b",
            "/%2e%2e/x",
            "/a%2fb",
            "/a%2f..%2f",
            "//",
            "/",
            "/.git",
            "/a\\..",
            "/a%00",
            "/%",
            "/%zz",
            "/C:",
            "x",
            "/a%0a",
        ] {
            assert_eq!(path_below(out), None, "{out}");
        }
    }
}
