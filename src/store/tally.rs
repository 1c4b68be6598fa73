//! How much there is of everything, for the metrics, and how much room is left.

use sqlx::{SqliteConnection, query, query_scalar};

use super::damage::{Place, fault};
use super::open::PAGE;
use crate::node::{StoreFault, Tally};

pub(super) async fn of(db: &mut SqliteConnection) -> Result<Tally, StoreFault> {
    let states = query("SELECT state, count(*) AS held FROM negotiations GROUP BY state")
        .fetch_all(&mut *db)
        .await
        .map_err(fault)?;
    let mut tally = Tally::default();
    for row in &states {
        let place = Place::new(row, "the sum of negotiations");
        tally.negotiations.push((place.read("state")?, place.count("held")?));
    }
    let row = query(
        "SELECT (SELECT count(*) FROM outgoing WHERE due IS NOT NULL) AS waiting,
                (SELECT count(*) FROM orders WHERE due IS NOT NULL) AS orders,
                (SELECT count(*) FROM envelopes) AS envelopes,
                (SELECT coalesce(sum(size), 0) FROM envelopes) AS bytes,
                (SELECT count(*) FROM parked) AS parked",
    )
    .fetch_one(&mut *db)
    .await
    .map_err(fault)?;
    let place = Place::new(&row, "the sums of the store");
    tally.messages = place.count("waiting")?;
    tally.orders = place.count("orders")?;
    tally.envelopes = place.count("envelopes")?;
    tally.envelope_bytes = place.count("bytes")?;
    tally.parked = place.count("parked")?;
    tally.oldest = query_scalar("SELECT signed FROM outgoing WHERE due IS NOT NULL ORDER BY number LIMIT 1")
        .fetch_optional(db)
        .await
        .map_err(fault)?;
    Ok(tally)
}

/// What has to be free for the next few writes, in bytes.
const FREE: u64 = 64 * 1024;

/// Holds what is left of the most that a store may take to what the next few writes need.
pub(super) async fn room(db: &mut SqliteConnection, most: Option<u64>) -> Result<(), StoreFault> {
    let Some(most) = most else { return Ok(()) };
    let row = query(
        "SELECT p.page_count AS pages, f.freelist_count AS free FROM pragma_page_count p, pragma_freelist_count f",
    )
    .fetch_one(db)
    .await
    .map_err(fault)?;
    let place = Place::new(&row, "the size of the store");
    let used: u64 = place.count::<u64>("pages")?.saturating_sub(place.count("free")?).saturating_mul(PAGE);
    if most.saturating_sub(used) < FREE {
        return Err(StoreFault::Full(format!("{used} of {most} bytes are used ([store] most_mb)")));
    }
    Ok(())
}
