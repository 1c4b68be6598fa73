use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::time::Instant;

/// Tells a person what happens, as it happens.
pub struct Teller {
    to_stderr: bool,
    colour: bool,
    began: Instant,
    line: Mutex<()>,
}

impl Teller {
    pub fn new(to_stderr: bool) -> Self {
        let terminal = if to_stderr { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
        let colour = terminal && std::env::var_os("NO_COLOR").is_none();
        Self { to_stderr, colour, began: Instant::now(), line: Mutex::new(()) }
    }

    /// A new part of the story.
    pub fn chapter(&self, title: &str) {
        self.print(&format!("\n{}", self.paint("1", title)));
    }

    /// Something moved.
    pub fn step(&self, who: &str, what: &str) {
        let at = self.began.elapsed().as_secs_f64();
        self.print(&format!("{at:7.2}s  {}  {what}", self.paint("36", &format!("{who:<9}"))));
    }

    /// Something that must not work was refused.
    pub fn refused(&self, case: &str, check: &str, reason: &str) {
        let at = self.began.elapsed().as_secs_f64();
        self.print(&format!("{at:7.2}s  {}  {case:<14} {check}: {reason}", self.paint("33", "refused  ")));
    }

    /// Something did not hold.
    pub fn failed(&self, what: &str) {
        self.print(&format!("          {}  {what}", self.paint("31", "FAILED   ")));
    }

    /// A remark.
    pub fn note(&self, what: &str) {
        self.print(&format!("          {what}"));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn print(&self, text: &str) {
        let _whole_lines = self.line.lock();
        if self.to_stderr {
            eprintln!("{text}");
        } else {
            println!("{text}");
        }
    }
}

/// A hash or DID, short enough for a line.
pub fn short(text: &str) -> String {
    let count = text.chars().count();
    if count <= 22 {
        return text.to_owned();
    }
    let head: String = text.chars().take(14).collect();
    let tail: String = text.chars().skip(count - 6).collect();
    format!("{head}…{tail}")
}
