//! How much there is of everything, for the metrics.

use sqlx::{SqliteConnection, query, query_scalar};

use super::damage::{Place, fault};
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
