//! The conformance suite of the store port, over every back end, and what is SQLite's own.

mod support {
    pub mod store_suite;
}

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign::encoding::Digest;
use countersign::node::{Evidence, EvidenceKind, Store as _, StoreFault};
use countersign::store::{InboxLimits, SealingKey, Sqlite};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use support::store_suite as suite;
use tempfile::TempDir;

const KILLED_STORE: &str = "COUNTERSIGN_TEST_KILLED_STORE";

fn home() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("node.db");
    (home, path)
}

macro_rules! stories {
    ($($story:ident)*) => {$(
        #[tokio::test]
        async fn $story() {
            let (_home, path) = home();
            let store = Sqlite::open_within(&path, SealingKey::new(&[7; 32]), InboxLimits { envelopes: 3, bytes: 100 }, None).await.unwrap();
            suite::$story(&store).await;
        }
    )*};
}

stories! {
    a_decision_is_read_back_as_it_was_written
    a_decision_is_all_or_nothing
    a_second_decision_on_the_same_version_is_refused
    two_first_messages_of_a_thread_begin_one_negotiation
    a_repeated_message_gets_its_stored_answer
    an_answer_that_moves_nothing_is_queued_with_its_mark
    answers_of_no_negotiation_are_forgotten_in_the_end
    a_slow_recipient_does_not_fill_the_queue
    a_message_waits_for_the_older_ones_of_its_negotiation
    what_waits_for_whoever_moved_is_sent_at_once
    effects_are_repeated_until_they_are_done
    what_is_told_has_one_order_and_no_gap
    the_inbox_has_a_quota
    early_messages_are_parked_up_to_a_limit
    a_name_keeps_its_key
    documents_are_kept_by_kind_and_id
    what_happens_once_has_one_winner
    counters_stop_at_their_limit
    what_is_spent_is_counted_once_and_not_beyond_its_limit
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let (_home, path) = home();
    let store = Sqlite::open(&path, SealingKey::new(&[7; 32])).await.unwrap();
    suite::leave_one_of_everything(&store).await;
    store.close().await;
    suite::everything_is_still_there(&Sqlite::open(&path, SealingKey::new(&[7; 32])).await.unwrap()).await;
}

#[tokio::test]
async fn killed_in_the_middle_it_keeps_whole_decisions() {
    let (_home, path) = home();
    for commits in [5, 23, 41] {
        let (path_of_child, exe) = (path.clone(), std::env::current_exe().unwrap());
        let acknowledged =
            tokio::task::spawn_blocking(move || kill_after(&exe, &path_of_child, commits)).await.unwrap();
        let store = Sqlite::open(&path, SealingKey::new(&[7; 32])).await.unwrap();
        suite::nothing_acknowledged_is_lost_and_nothing_is_half_there(&store, acknowledged).await;
        store.close().await;
    }
}

fn kill_after(exe: &Path, store: &Path, commits: usize) -> usize {
    let mut child = Command::new(exe)
        .args(["--exact", "commits_until_it_is_killed", "--ignored", "--nocapture"])
        .env(KILLED_STORE, store)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut acknowledged = 0;
    let mut seen = 0;
    for line in lines {
        let Some(version) = line.strip_prefix("acknowledged ") else { continue };
        // The last line may be cut by the kill.
        acknowledged = version.strip_suffix('.').map_or(acknowledged, |version| version.parse().unwrap());
        seen += 1;
        if seen == commits {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen >= commits, "the child died after {seen} commits");
    acknowledged
}

#[tokio::test]
#[ignore = "the child of `killed_in_the_middle_it_keeps_whole_decisions`; never ends"]
async fn commits_until_it_is_killed() {
    let Some(path) = std::env::var_os(KILLED_STORE) else { return };
    println!();
    let store = Sqlite::open(Path::new(&path), SealingKey::new(&[7; 32])).await.unwrap();
    suite::commit_without_end(&store, |version| println!("acknowledged {version}.")).await;
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let (_home, path) = home();
    let store = Sqlite::open(&path, SealingKey::new(&[7; 32])).await.unwrap();
    let refused = Sqlite::open(&path, SealingKey::new(&[7; 32])).await.unwrap_err().to_string();
    assert!(refused.contains("in use by another process"), "{refused}");
    store.close().await;
    Sqlite::open(&path, SealingKey::new(&[7; 32])).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_reads_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let (home, path) = home();
    std::fs::write(&path, []).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = Sqlite::open(&path, SealingKey::new(&[7; 32])).await.unwrap();
    store.commit(suite::beginning("n")).await.unwrap();
    let mut names = vec![];
    for entry in std::fs::read_dir(home.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["node.db", "node.db-shm", "node.db-wal", "node.db.lock"]);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let (home, path) = home();
    std::fs::write(&path, "a letter, not a database; long enough to have a header of a hundred bytes ".repeat(20))
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(Sqlite::open(&path, SealingKey::new(&[7; 32])).await.is_err());
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let nowhere = Sqlite::open(&home.path().join("missing/node.db"), SealingKey::new(&[7; 32])).await.unwrap_err();
    assert!(nowhere.to_string().contains("missing/node.db"), "{nowhere}");
}

/// Does `sql` to a store that `prepare`d something, as a hand or a bad disk would.
async fn tampered(path: &Path, sql: &str) -> Sqlite {
    let store = Sqlite::open(path, SealingKey::new(&[7; 32])).await.unwrap();
    suite::leave_one_of_everything(&store).await;
    store.close().await;
    let mut hand = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut hand).await.unwrap();
    hand.close().await.unwrap();
    Sqlite::open(path, SealingKey::new(&[7; 32])).await.unwrap()
}

fn names<T: std::fmt::Debug>(outcome: Result<T, StoreFault>, row: &str) {
    match outcome {
        Err(StoreFault::Damaged(what)) => assert!(what.contains(row), "`{what}` does not name `{row}`"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_does_not_read_back_is_named() {
    let peer = suite::peer();
    for (sql, row) in [
        ("UPDATE events SET event = '{'", "event 0 of negotiation n"),
        ("UPDATE events SET event = CAST(x'ff' AS TEXT)", "event 0 of negotiation n"),
        ("UPDATE events SET place = 1", "event 0 of negotiation n"),
        ("DELETE FROM events", "negotiation n"),
        ("INSERT INTO events VALUES ('n', 1, '{}')", "negotiation n"),
    ] {
        let (_home, path) = home();
        names(tampered(&path, sql).await.log("n").await, row);
    }
    for sql in [
        "UPDATE outgoing SET recipient = 'nobody' WHERE id = 'o'",
        "UPDATE outgoing SET attempts = -1 WHERE id = 'o'",
        "UPDATE outgoing SET due = -9223372036854775808 WHERE id = 'o'",
    ] {
        let (_home, path) = home();
        let store = tampered(&path, sql).await;
        names(store.due(suite::at(9), 9).await, "row 1 of outgoing");
        names(store.sent("n").await, "row 1 of outgoing");
    }
    let (_home, path) = home();
    let store = tampered(
        &path,
        "UPDATE orders SET effect = '{}'; UPDATE envelopes SET digest = x'00'; UPDATE parked SET at = 0;
         UPDATE keys SET secret = x'00'; UPDATE documents SET value = '}'; UPDATE counters SET value = -1;",
    )
    .await;
    names(store.orders(suite::at(9)).await, "row 1 of orders");
    names(store.envelopes(9).await, "row 1 of envelopes");
    names(store.parked(&peer, "t").await, "row 1 of parked");
    names(store.key("k").await, "key k");
    names(store.one("asset", "a").await, "asset a");
    names(store.all("asset").await, "asset a");
    names(store.counted("use", "c").await, "counter use c");
}

#[tokio::test]
async fn what_a_gate_kept_before_is_taken_over_with_its_sums() {
    let (_home, path) = home();
    let store = Sqlite::open(&path, SealingKey::new(&[7; 32])).await.unwrap();
    store.close().await;
    let mut db = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let core = Digest::of("core");
    // As an older version left it.
    sqlx::raw_sql(
        "DROP TABLE gate_evidence; DROP TABLE gate_sums; DROP TABLE gate_total;
         DELETE FROM _sqlx_migrations WHERE version >= 42;",
    )
    .execute(&mut db)
    .await
    .unwrap();
    let presented = |at: i64| json!({ "core": core, "presentation": "a~b~c", "purpose": null, "at": at });
    let delivered = json!({ "core": core, "bytes": 7, "to": "2026-11-26T00:00:00Z", "receipt": "r" });
    for (kind, id, value) in [
        ("gate-presentation", "later", presented(1_795_000_100)),
        ("gate-presentation", "first", presented(1_795_000_000)),
        ("gate-delivery", "one", delivered.clone()),
        ("gate-token", "other", json!(1)),
    ] {
        sqlx::query("INSERT INTO documents (kind, id, value) VALUES (?, ?, ?)")
            .bind(kind)
            .bind(id)
            .bind(value.to_string())
            .execute(&mut db)
            .await
            .unwrap();
    }
    db.close().await.unwrap();

    let store = Sqlite::open(&path, SealingKey::new(&[7; 32])).await.unwrap();
    let first = store.first_evidence(&core, EvidenceKind::Presentation).await.unwrap();
    assert_eq!(first, Some(("first".into(), presented(1_795_000_000))));
    assert_eq!(store.evidence(EvidenceKind::Delivery, "one").await.unwrap(), Some(delivered));
    let sum = store.evidence_sum(&core).await.unwrap().unwrap();
    assert_eq!((sum.openings, sum.deliveries, sum.bytes), (2, 1, 7));
    assert_eq!(sum.first.seconds(), 1_795_000_000);
    for kind in ["gate-presentation", "gate-delivery"] {
        assert_eq!(store.all(kind).await.unwrap(), []);
    }
    assert_eq!(store.all("gate-token").await.unwrap().len(), 1);
}

#[tokio::test]
async fn evidence_beyond_a_share_goes_from_whoever_has_the_most() {
    let (_home, path) = home();
    let most = Some(4 << 20);
    let store = Sqlite::open_within(&path, SealingKey::new(&[7; 32]), InboxLimits::default(), most).await.unwrap();
    let keep = async |contract: &str, number: u32, share: u64| {
        let evidence = Evidence {
            kind: EvidenceKind::Delivery,
            id: format!("{contract} {number}"),
            contract: Digest::of(contract),
            at: suite::at(i64::from(number)),
            bytes: 1,
            value: json!("x".repeat(10_000)),
        };
        store.keep_evidence(&evidence, share).await.unwrap();
    };
    let kept = async |contract: &str, number: u32| {
        store.evidence(EvidenceKind::Delivery, &format!("{contract} {number}")).await.unwrap().is_some()
    };
    keep("small", 0, 1 << 30).await;
    for number in 0..30 {
        keep("one", number, 100_000).await;
    }
    assert!(kept("one", 29).await && kept("one", 22).await && !kept("one", 20).await, "its own share");
    for number in 0..300 {
        keep("large", number, 1 << 30).await;
    }
    // Half of the store for all: what went is the large one's, and its oldest.
    assert!(kept("large", 299).await && !kept("large", 0).await);
    assert!(kept("small", 0).await && kept("one", 22).await);
    assert_eq!(store.evidence_sum(&Digest::of("large")).await.unwrap().unwrap().deliveries, 300);
    store.room().await.unwrap();
    assert!(store.forget_evidence(suite::at(25)).await.unwrap() > 0);
    assert!(!kept("small", 0).await && !kept("one", 24).await && kept("one", 25).await);
}
