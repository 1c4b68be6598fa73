//! What other parties list, found by its words: SQLite's FTS5.

use sqlx::{SqliteConnection, query};

use super::damage::{Place, fault};
use crate::identity::Did;
use crate::node::{Good, StoreFault};

/// How many words of a question are looked for.
const WORDS: usize = 16;

pub(super) async fn shelve(db: &mut SqliteConnection, provider: &Did, goods: &[Good]) -> Result<(), StoreFault> {
    query("DELETE FROM goods WHERE provider = ?").bind(provider.as_str()).execute(&mut *db).await.map_err(fault)?;
    for good in goods {
        query("INSERT INTO goods (title, words, provider, asset, seen, listing) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(&good.title)
            .bind(&good.words)
            .bind(good.provider.as_str())
            .bind(&good.asset)
            .bind(good.seen.seconds())
            .bind(good.listing.to_string())
            .execute(&mut *db)
            .await
            .map_err(fault)?;
    }
    Ok(())
}

pub(super) async fn find(
    db: &mut SqliteConnection,
    words: &str,
    provider: Option<&Did>,
    limit: u32,
) -> Result<Vec<Good>, StoreFault> {
    let question = question(words);
    let rows = match &question {
        // A word in the title weighs more than one in the rest.
        Some(question) => {
            query(
                "SELECT title, words, provider, asset, seen, listing FROM goods
                 WHERE goods MATCH ?1 AND (?2 IS NULL OR provider = ?2) ORDER BY bm25(goods, 4.0, 1.0), asset LIMIT ?3",
            )
            .bind(question)
            .bind(provider.map(Did::as_str))
            .bind(limit)
            .fetch_all(db)
            .await
        }
        None => {
            query(
                "SELECT title, words, provider, asset, seen, listing FROM goods
                 WHERE ?1 IS NULL OR provider = ?1 ORDER BY title, asset LIMIT ?2",
            )
            .bind(provider.map(Did::as_str))
            .bind(limit)
            .fetch_all(db)
            .await
        }
    };
    rows.map_err(fault)?.iter().map(good).collect()
}

fn good(row: &sqlx::sqlite::SqliteRow) -> Result<Good, StoreFault> {
    let asset: String = Place::new(row, "a catalog").read("asset")?;
    let place = Place::new(row, format!("the catalog entry {asset}"));
    Ok(Good {
        provider: place.parse("provider")?,
        seen: place.time("seen")?.ok_or_else(|| place.damaged("seen", "no time"))?,
        title: place.read("title")?,
        words: place.read("words")?,
        listing: place.json("listing")?,
        asset,
    })
}

/// Each word quoted, so that nothing in it is an operator, and as a beginning; `None` where there is no word.
fn question(words: &str) -> Option<String> {
    let plain = words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(WORDS);
    let quoted: Vec<String> = plain.map(|word| format!("\"{word}\"*")).collect();
    (!quoted.is_empty()).then(|| quoted.join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_an_operator() {
        assert_eq!(question("NEAR(\"a\" b) -c*"), Some("\"NEAR\"* AND \"a\"* AND \"b\"* AND \"c\"*".into()));
        assert_eq!(question(" *\"- "), None);
    }
}
