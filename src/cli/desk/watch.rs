//! What happens, as it happens: the node's event stream on a terminal or in a pipe.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use reqwest::Response;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::super::Later;
use super::super::audit_table::readable;
use super::super::calls::{Declined, Desk, Silent};
use super::words::{Progress, brief, called, text, until, when};
use super::{At, dsp, found, member};

/// A stream that says nothing for so long has broken; a node shows a sign of life four times as often.
const SILENCE: Duration = Duration::from_secs(60);
/// How long it waits before it takes a broken stream up again, the first time and at most.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest event that is taken.
const LONGEST: usize = 1024 * 1024;

/// Prints what happens as it happens: of everything here, or of one negotiation, also a plain one, until it is over.
///
/// A negotiation's events so far come first; FINALIZED ends it with exit code 0, TERMINATED with 1. A node that goes away
/// is waited for, and nothing is missed or told twice. With --json each line is one JSON object.
///
/// Example: countersign watch 5b0f6a3e --until OFFERED
#[derive(Debug, Args)]
pub struct Watch {
    #[command(flatten)]
    at: At,
    /// The negotiation, or the beginning of its id; everything when absent.
    id: Option<String>,
    /// Stop at this state already.
    #[arg(long, value_name = "STATE", requires = "id", value_parser = ["REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED"])]
    until: Option<String>,
    /// Give up after so many seconds; without it, never.
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    /// Without a negotiation: begin behind this event; 0 is the beginning. New events only when absent.
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    after: Option<u64>,
}

/// How the watch goes on after an event.
enum Next {
    On,
    Over(ExitCode),
}

impl Watch {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let (id, plain) = match &self.id {
            Some(given) => either(&desk, given).await.map(|(id, plain)| (Some(id), plain))?,
            None => (None, false),
        };
        let watching = self.follow(&desk, id.as_deref());
        let Some(wait) = self.wait else { return watching.await };
        if let Ok(done) = timeout(Duration::from_secs(wait), watching).await {
            return done;
        }
        match &id {
            Some(id) => {
                let (path, show) = if plain { ("dsp/negotiations", "dsp show") } else { ("negotiations", "show") };
                let state = text(&desk.get(&format!("/api/{path}/{id}")).await?, "/state");
                let what = format!("it is still {state}; `countersign {show} {}` says whose turn it is", brief(id));
                Err(Later(what).into())
            }
            None => Ok(ExitCode::SUCCESS),
        }
    }

    /// Takes the stream up again and again, each time behind the last event.
    async fn follow(&self, desk: &Desk, id: Option<&str>) -> Result<ExitCode> {
        let (mut after, began) = (id.map_or(self.after, |_| Some(0)), Instant::now());
        let (mut pause, mut state, mut progress) = (PAUSE, String::new(), Progress::new());
        if after.is_none() {
            let now = desk.get("/api/events.json?limit=1").await?;
            after = Some(now["last"].as_u64().context("the node's answer has no /last")?);
        }
        let mut first = true;
        loop {
            let of = id.map(|id| format!("&negotiation={id}")).unwrap_or_default();
            match desk.listen(&format!("/api/events?after={}{of}", after.unwrap_or(0))).await {
                Ok(mut stream) => {
                    let mut lines = Lines::default();
                    loop {
                        progress.at(|| format!("waiting, {} s", began.elapsed().as_secs()));
                        let event = match timeout(Duration::from_secs(1), lines.event(&mut stream)).await {
                            Err(_) if lines.quiet_for() > SILENCE => break,
                            Err(_) => continue,
                            Ok(Ok(Some(event))) => event,
                            Ok(Ok(None)) => break,
                            Ok(Err(fault)) => return Err(fault),
                        };
                        after = event["id"].as_u64().or(after);
                        pause = PAUSE;
                        progress.clear();
                        if let Next::Over(code) = self.tell(&event, id.is_some(), &mut state)? {
                            return Ok(code);
                        }
                    }
                }
                // At the beginning a node that is not there is a mistake; later on it is coming back.
                Err(fault) if first || !passes(&fault) => return Err(fault),
                Err(_) => {}
            }
            first = false;
            progress.at(|| "the node is away; waiting for it".into());
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn tell(&self, event: &Value, one: bool, state: &mut String) -> Result<Next> {
        let entered = text(event, "/state");
        let mut out = std::io::stdout().lock();
        if self.at.json {
            writeln!(out, "{event}")?;
        } else if let Some(line) = in_words(event, one, *state != entered) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        if !one || entered.is_empty() {
            return Ok(Next::On);
        }
        *state = entered;
        match state.as_str() {
            reached if self.until.as_deref() == Some(reached) => Ok(Next::Over(ExitCode::SUCCESS)),
            "FINALIZED" => Ok(Next::Over(ExitCode::SUCCESS)),
            "TERMINATED" => {
                let what = if event["mode"] == "plain" { "an agreement" } else { "a contract" };
                bail!("it ended without {what}: {}: {}", text(event, "/ending/code"), text(event, "/ending/reason"))
            }
            _ => Ok(Next::On),
        }
    }
}

/// The negotiation that `given` means, and whether it is plain.
async fn either(desk: &Desk, given: &str) -> Result<(String, bool)> {
    let fault = match found(desk, given).await {
        Ok(one) => return Ok((member(&one, "/id")?, false)),
        Err(fault) => fault,
    };
    if dsp::plain(desk).await?.is_none_or(|plain| plain.as_array().is_none_or(Vec::is_empty)) {
        return Err(fault);
    }
    Ok((dsp::found(desk, given).await.map_err(|_| fault)?, true))
}

/// Whether another try may help: the node restarts, or is too busy.
fn passes(fault: &anyhow::Error) -> bool {
    match fault.downcast_ref::<Declined>() {
        Some(declined) => declined.status.is_server_error(),
        None => fault.is::<Silent>() || fault.is::<reqwest::Error>(),
    }
}

/// An event as a line for people; `None` for what says nothing to them.
fn in_words(event: &Value, one: bool, new_state: bool) -> Option<String> {
    let kind = text(event, "/type");
    let what = match kind.as_str() {
        "named" | "joined" => return None,
        "cancel-asked" => format!("the consumer asks to cancel: {}", text(event, "/cancel_asked")),
        "record-ordered" => "the record is on its way to the registry".into(),
        "entry-despite-termination" => "the contract exists although it was terminated".into(),
        "delivery-failing" => {
            let id = brief(&text(event, "/negotiation"));
            let show =
                if id.is_empty() { String::new() } else { format!(" (countersign show {id} says what that means)") };
            format!("a message to {} is not delivered yet: {}{show}", text(event, "/peer"), text(event, "/detail"))
        }
        "message-turned-down" => format!("{} refused a message: {}", text(event, "/peer"), text(event, "/detail")),
        "message-refused" => format!("refused: {}: {}", text(event, "/check"), text(event, "/detail")),
        "contract-ended" | "contract-withdrawn" => text(event, "/detail"),
        "plain" => "a plain negotiation moved; this node has no table [dsp] any more".into(),
        _ if event["mode"] == "plain" => {
            let with = if one {
                String::new()
            } else {
                format!(" with {}", called(event, "/counterparty_name", "/counterparty"))
            };
            format!("{:<10} plain{with}", text(event, "/state"))
        }
        _ if new_state || event["state"].is_string() => text(event, "/state"),
        other => other.to_owned(),
    };
    let decided = match event.pointer("/decided/by/kind").and_then(Value::as_str) {
        Some("person") => format!("  decided by a person ({})", text(event, "/decided/by/name")),
        Some("rule") => format!("  decided by the rule “{}”", text(event, "/decided/by/name")),
        _ => String::new(),
    };
    let due = &event["waits_for"];
    let turn = match due["decision"].as_str() {
        Some(_) if due["person"] == false => String::new(),
        Some(decision) => {
            let by = due["until"].as_str().map(|time| format!(" {}", until(time))).unwrap_or_default();
            format!("  your turn: {}{by}", readable(decision, 16))
        }
        None => String::new(),
    };
    let id = text(event, "/negotiation");
    let which = if one || id.is_empty() { String::new() } else { format!("{}  ", brief(&id)) };
    Some(format!("{}  {which}{what:<10}{decided}{turn}", when(&text(event, "/at"))).trim_end().to_owned())
}

/// A stream's text, taken apart into events.
struct Lines {
    buffer: Vec<u8>,
    heard: Instant,
}

impl Default for Lines {
    fn default() -> Self {
        Self { buffer: Vec::new(), heard: Instant::now() }
    }
}

impl Lines {
    /// The next event; `None` once the stream has ended. Nothing is lost when it is dropped while it waits.
    async fn event(&mut self, stream: &mut Response) -> Result<Option<Value>> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let block = String::from_utf8(block).context("an event that is no text")?;
                let data: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("data:")).collect();
                if !data.is_empty() {
                    return Ok(Some(serde_json::from_str(data.join("\n").trim()).context("an event that is no JSON")?));
                }
            }
            if self.buffer.len() > LONGEST {
                bail!("an event of more than {LONGEST} bytes");
            }
            match stream.chunk().await {
                Ok(Some(chunk)) => {
                    self.heard = Instant::now();
                    self.buffer.extend_from_slice(&chunk);
                }
                // A connection that broke is as good as one that ended: the next one goes on behind the last event.
                Ok(None) | Err(_) => return Ok(None),
            }
        }
    }

    fn quiet_for(&self) -> Duration {
        self.heard.elapsed()
    }
}
