//! The engineer in front of a data endpoint.

use std::fs;

use super::town::{ASSET, Town};

#[test]
fn an_engineer_guards_data_that_opens_for_a_contract_and_closes_with_it() {
    let mut town = Town::in_business();
    town.open_the_gate();
    let id = town.contract();
    town.tells("gate", &["ready"], &["ready"]);
    town.eventually("the gate's opening", || {
        let output = town.run("bob", &["fetch", &id, "-o", "mine.xodr"]);
        output.status.success().then_some(())
    });
    assert_eq!(fs::read(town.path("mine.xodr")).unwrap(), ASSET);

    // Somebody changes the data: whoever fetches notices, and keeps nothing.
    let mut other = ASSET.to_vec();
    other[100] ^= 1;
    fs::write(town.path("junction.xodr"), other).unwrap();
    let why = town.fails("bob", &["fetch", &id, "-o", "other.xodr"], 1);
    assert!(why.contains("other bytes than the contract's"), "{why}");
    assert!(!town.path("other.xodr").exists());
    fs::write(town.path("junction.xodr"), ASSET).unwrap();

    // The gate is started again and still knows what it has to.
    town.stop("gate");
    town.fails("gate", &["ready"], 3);
    assert!(town.fails("bob", &["fetch", &id, "-o", "third.xodr"], 3).contains("no gate answers at"));
    town.serve("gate");
    town.eventually("the last of three uses", || {
        let output = town.run("bob", &["fetch", &id, "-o", "third.xodr"]);
        output.status.success().then_some(())
    });
    let why = town.fails("bob", &["fetch", &id, "-o", "fourth.xodr"], 1);
    // How many: two deliveries within a second can have the same receipt, letter by letter.
    for words in
        ["all 3 uses of this contract are spent (policy.constraint)", " of 3 ended with a receipt that is kept here"]
    {
        assert!(why.contains(words), "three uses are three: {words} is missing: {why}");
    }
    // What was refused leaves nothing behind that would be in the way of another contract.
    for name in ["third.xodr.part", "fourth.xodr.part", "fourth.xodr.part.json"] {
        assert!(!town.path(name).exists(), "{name} is left");
    }

    town.says("alice", &["end", "latest", "--reason", "completed"]);
    let refused = town.eventually("the gate's closing", || {
        let output = town.run("bob", &["fetch", &id, "-o", "again.xodr"]);
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code() == Some(1) && why.contains("force.ended")).then_some(why)
    });
    assert!(refused.contains("this contract is over"), "{refused}");
}
