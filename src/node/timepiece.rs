//! Whether this machine's clock is right, by the blocks of the chain: nothing may be decided by a clock that is not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{Depth, NodeFault, Registry, RegistryFault, chance, checks};
use crate::check::Refusal;
use crate::credential::Head;
use crate::encoding::Timestamp;
use crate::identity::Did;

/// How far clock and chain may be apart, in seconds.
pub const TOLERANCE: i64 = 300;
/// How long ago the last look may be for a new block to be a fresh one, in seconds.
const LATELY: i64 = 120;
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// An old block is looked at again until another one comes; after so many looks the chain stands still. Etherlink makes
/// a block each six seconds at least.
const LOOKS: usize = 10;
const BETWEEN: Duration = Duration::from_millis(700);

/// A clock that is held against the chain.
pub struct Timepiece {
    registry: Arc<dyn Registry>,
    seen: Mutex<Seen>,
}

/// What was seen of the chain.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The newest block and when it was read, by this machine's clock.
    pub latest: Option<(Head, Timestamp)>,
    /// The newest final block, likewise.
    pub finalised: Option<(Head, Timestamp)>,
    /// Why the chain could not be read the last time.
    pub fault: Option<String>,
    /// What a peer's time says, where it is far ahead; only a hint, for it may be the peer's clock that is wrong.
    pub doubt: Option<String>,
    verdict: Verdict,
}

/// What is known of the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Verdict {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It agrees with a block.
    Right,
    /// The newest block is old, and whether the clock is ahead or the chain stands still is not known yet.
    Suspect,
    /// No new block comes: what is known of the clock rests on nothing.
    Still,
    /// It is so many seconds ahead of the newest block, or behind where it is negative.
    Off(i64, Timestamp, Timestamp),
}

impl Timepiece {
    /// A clock that nobody has looked at yet.
    pub fn new(registry: Arc<dyn Registry>) -> Arc<Self> {
        Arc::new(Self { registry, seen: Mutex::new(Seen::default()) })
    }

    /// Compares clock and chain again and again.
    pub async fn run(self: Arc<Self>, every: Duration) {
        loop {
            if let Err(fault) = self.look().await {
                tracing::debug!(%fault, "the clock could not be compared");
            }
            sleep(every).await;
        }
    }

    /// What was seen of the chain.
    pub fn seen(&self) -> Seen {
        self.lock().clone()
    }

    /// Reads the chain's heads and compares the newest with the clock.
    ///
    /// # Errors
    /// When the chain cannot be read; what is known of the clock stays.
    pub async fn look(&self) -> Result<(), NodeFault> {
        let heads = async { tokio::join!(self.registry.head(Depth::Latest), self.registry.head(Depth::Finalised)) };
        let late = || RegistryFault::Unreachable(format!("no answer within {} s", PATIENCE.as_secs()));
        let heads = timeout(PATIENCE, heads).await.map_err(|_| late());
        let heads = heads.and_then(|(latest, finalised)| Ok((latest?, finalised?)));
        let now = chance::now()?;
        let mut seen = self.lock();
        let (latest, finalised) = match heads {
            Ok(heads) => heads,
            Err(fault) => {
                seen.fault = Some(fault.to_string());
                return Err(fault.into());
            }
        };
        let verdict = judge(seen.verdict, seen.latest, latest, now);
        match (seen.verdict, verdict) {
            (Verdict::Off(..), Verdict::Right) => tracing::warn!("the clock is right again"),
            (Verdict::Off(..), Verdict::Off(..)) => {}
            (_, Verdict::Off(by, clock, block)) => tracing::warn!("{}", in_words(by, clock, block)),
            _ => {}
        }
        seen.verdict = verdict;
        seen.latest = Some((latest, now));
        seen.finalised = Some((finalised, now));
        seen.fault = None;
        Ok(())
    }

    /// Holds whatever rests on the clock to its being right, by what is known now.
    ///
    /// # Errors
    /// `clock.right`, with how far it is off and what to do.
    pub fn hold(&self) -> Result<(), Refusal> {
        match self.lock().verdict {
            Verdict::Off(by, clock, block) => Err(checks::CLOCK.refuse(in_words(by, clock, block))),
            _ => Ok(()),
        }
    }

    /// The same before somebody decides: looks where nobody has, and again where one look was not enough.
    ///
    /// A chain that cannot be read says nothing about the clock, and holds nothing up here.
    ///
    /// # Errors
    /// As [`Timepiece::hold`].
    pub async fn right(&self) -> Result<(), Refusal> {
        for look in 0..LOOKS {
            match self.seen().verdict {
                Verdict::Unknown | Verdict::Suspect => {}
                _ => return self.hold(),
            }
            if look > 0 {
                sleep(BETWEEN).await;
            }
            if self.look().await.is_err() {
                return Ok(());
            }
        }
        let mut seen = self.lock();
        if seen.verdict == Verdict::Suspect {
            seen.verdict = Verdict::Still;
        }
        Ok(())
    }

    /// A peer has answered: its message was made at `created`, which cannot be later than now.
    pub fn hear(&self, peer: &Did, created: Timestamp, now: Timestamp) {
        let ahead = created.seconds().saturating_sub(now.seconds());
        let mut seen = self.lock();
        if ahead <= TOLERANCE {
            seen.doubt = None;
        } else if seen.doubt.is_none() {
            let doubt = format!("{peer} dates its answer {} after now: its clock or this one is wrong", span(ahead));
            tracing::warn!("{doubt}");
            seen.doubt = Some(doubt);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // Plain values cannot be left half-written by a panic elsewhere.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the newest block says of the clock. A block from the future shows a clock that is behind; an old block one that is
/// ahead only when it is known to be new: when another one was the newest a moment ago.
fn judge(before: Verdict, known: Option<(Head, Timestamp)>, newest: Head, now: Timestamp) -> Verdict {
    let ahead = now.seconds().saturating_sub(newest.time.seconds());
    if ahead.abs() <= TOLERANCE {
        return Verdict::Right;
    }
    let off = Verdict::Off(ahead, now, newest.time);
    if ahead < 0 {
        return off;
    }
    match (known, before) {
        (Some((head, at)), _) if head.number < newest.number => {
            let lately = (0..=LATELY).contains(&now.seconds().saturating_sub(at.seconds()));
            if lately { off } else { Verdict::Suspect }
        }
        (_, Verdict::Off(..) | Verdict::Still) => before,
        _ => Verdict::Suspect,
    }
}

fn in_words(by: i64, clock: Timestamp, block: Timestamp) -> String {
    let which = if by > 0 { "ahead, or the chain's endpoint lags behind" } else { "behind" };
    format!(
        "this machine's clock says {clock}, the newest block, made a moment ago, says {block}: the clock is {} {which}; \
         set it (an NTP service does), the node then goes on by itself",
        span(by)
    )
}

fn span(seconds: i64) -> String {
    match seconds.unsigned_abs() {
        s if s < 7200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Digest;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + seconds).unwrap()
    }

    fn block(number: u64, seconds: i64) -> Head {
        Head { number, hash: Digest::of(number.to_string()), time: at(seconds) }
    }

    #[test]
    fn a_block_from_the_future_shows_a_clock_that_is_behind() {
        let off = judge(Verdict::Unknown, None, block(7, 3600), at(0));
        assert_eq!(off, Verdict::Off(-3600, at(0), at(3600)));
        // Set right, it goes on by itself.
        assert_eq!(judge(off, Some((block(7, 3600), at(0))), block(8, 3605), at(3606)), Verdict::Right);
    }

    #[test]
    fn an_old_block_shows_a_clock_that_is_ahead_only_when_it_is_new() {
        let first = judge(Verdict::Unknown, None, block(7, 0), at(3600));
        assert_eq!(first, Verdict::Suspect);
        // The chain stands still: nothing is known.
        assert_eq!(judge(first, Some((block(7, 0), at(3600))), block(7, 0), at(3601)), Verdict::Suspect);
        // The next block is as old.
        let off = judge(first, Some((block(7, 0), at(3600))), block(8, 2), at(3602));
        assert_eq!(off, Verdict::Off(3600, at(3602), at(2)));
        assert_eq!(judge(off, Some((block(8, 2), at(3602))), block(8, 2), at(3603)), off);
        // Nobody looked for long: the block may have been made at any time since.
        assert_eq!(judge(Verdict::Right, Some((block(7, 0), at(0))), block(8, 1), at(3600)), Verdict::Suspect);
    }

    #[test]
    fn a_refusal_says_by_how_much_and_what_to_do() {
        let said = in_words(3600, at(3600), at(0));
        assert!(said.contains("60 min ahead") && said.contains("NTP"), "{said}");
        assert!(in_words(-90_000, at(0), at(90_000)).contains("25 h behind"));
    }
}
