//! The provider's desk.

use std::fs;

use countersign::encoding::Digest;
use countersign::gate::DIRECTORY;
use serde_json::json;

use super::town::{ASSET, ASSET_SHA256, PURCHASE, Town, brief, part};

#[test]
fn a_provider_lists_sells_and_ends() {
    let mut town = Town::in_business();
    it_looks_at_its_template(&town);
    it_lists_a_file_a_directory_and_a_server(&mut town);
    it_changes_and_takes_back_what_it_lists(&town);
    it_answers_requests(&town);
    it_ends_a_contract(&town);
    it_delivers_a_directory(&town);
}

fn it_looks_at_its_template(town: &Town) {
    town.tells("alice", &["template", "list"], &["Single purchase and download", "25.00 EUR for every contract"]);
    let words = ["uses is a whole number from 1 to 100", "1. The consumer may use the asset at most once.", PURCHASE];
    town.tells("alice", &["template", "show", "5b0f6a3e"], &words);
    assert!(town.says("alice", &["template", "show", "single", "--odrl"]).contains("\"leftOperand\": \"count\""));
    assert!(town.fails("alice", &["template", "show", "licence"], 2).contains("countersign template list"));
    let why = town.fails("bob", &["template", "add", "bob.member"], 2);
    assert!(why.contains("`countersign join` takes it"), "what it is, and which command takes it: {why}");
}

fn it_lists_a_file_a_directory_and_a_server(town: &mut Town) {
    fs::write(town.path("junction.xodr"), ASSET).unwrap();
    fs::create_dir(town.path("tiles")).unwrap();
    fs::write(town.path("tiles/north.xodr"), ASSET).unwrap();
    fs::create_dir(town.path("tiles/signs")).unwrap();
    fs::write(town.path("tiles/signs/all signs.csv"), "id,kind\n").unwrap();
    let guard = |what: &[&str]| town.json_of("gate", &[&["guard"], what].concat());
    let file = guard(&["junction.xodr", "--title", "Motorway junction"]);
    assert_eq!((part(&file, "/asset/sha256"), part(&file, "/asset/media_type")), (ASSET_SHA256, "application/xml"));
    assert_eq!(file["asset"]["size"], ASSET.len());
    town.fails("gate", &["guard", "tiles"], 2);
    let directory = guard(&["tiles", "--asset-version", "2026-11", "--title", "Road tiles"]);
    let sums = fs::read_to_string(town.path("tiles/SHA256SUMS")).unwrap();
    assert!(
        sums.starts_with(&format!("{ASSET_SHA256}  north.xodr\n")) && sums.ends_with("  signs/all signs.csv\n"),
        "{sums}"
    );
    let named = Digest::of(&sums).hex()[2..].to_owned();
    assert_eq!((part(&directory, "/asset/sha256"), part(&directory, "/asset/media_type")), (&*named, DIRECTORY));
    let zeros = "0".repeat(64);
    let upstream = ["http://127.0.0.1:9/live", "--sha256", &zeros, "--asset-version", "1", "--title", "Live roads"];
    let upstream = guard(&upstream);
    assert!(town.fails("gate", &["guard", "junction.xodr"], 2).contains("--as"));
    assert!(town.fails("alice", &["guard", "junction.xodr"], 2).contains("no gate's home"));
    for (name, asset) in [("file.json", &file), ("tiles.json", &directory), ("live.json", &upstream)] {
        town.keep(name, &asset.to_string());
    }
    let terms = ["--template", "Single", "--set", "uses=3", "--price", "400.00 EUR"];
    let words =
        ["--description", "An OpenDRIVE network near Munich", "--keyword", "opendrive", "--meta", "region=DE-BY"];
    town.tells("alice", &[&["list", "file.json"], &terms[..], &words].concat(), &["400.00 EUR, fee 25.00 EUR"]);
    town.says("alice", &[&["list", "tiles.json"], &terms[..]].concat());
    town.says("alice", &[&["list", "live.json"], &terms[..]].concat());
    town.serve("gate");
    town.tells("alice", &["assets"], &["Motorway junction", "Road tiles", "Live roads", "25.00 EUR", "2026-11"]);
}

fn it_changes_and_takes_back_what_it_lists(town: &Town) {
    assert!(town.fails("alice", &["list", "file.json"], 2).contains("--template"));
    assert!(town.fails("alice", &["list", "alice.member"], 2).contains("no JSON"));
    let why = town.fails("alice", &["list", "Motorway", "--set", "uses=1000"], 1);
    assert!(why.contains("template.value") && why.contains("a whole number from 1 to 100"), "{why}");
    assert!(why.contains("--set NAME=VALUE"), "{why}");
    let why = town.fails("alice", &["list", "file.json", "--template", "Single", "--price", "400.00 EUR"], 1);
    assert!(why.contains("`uses`: it takes a whole number from 1 to 100") && why.contains("--set"), "{why}");
    town.tells("alice", &["list", "Motorway", "--price", "380.00 EUR"], &["380.00 EUR, fee 25.00 EUR"]);
    town.tells("alice", &["unlist", "Live roads"], &["is listed no more"]);
    assert!(town.fails("alice", &["unlist", "Live roads"], 2).contains("countersign assets"));
    let listed = town.json("alice", &["assets"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let junction = listed.as_array().unwrap().iter().find(|one| one["asset"]["title"] == "Motorway junction").unwrap();
    assert_eq!((part(junction, "/metadata/region"), part(junction, "/keywords/0")), ("DE-BY", "opendrive"));
    let words = ["380.00 EUR", "25.00 EUR", "Single purchase and download"];
    town.tells("bob", &["catalog", "alice"], &words);
}

fn it_answers_requests(town: &Town) {
    for reason in ["too early", ""] {
        town.says("bob", &["request", "--from", "alice", "--asset", "Motorway junction", "--price", "350.00 EUR"]);
        let waiting = town.json("alice", &["inbox", "--wait", "60"]);
        assert_eq!((part(&waiting, "/0/decision"), part(&waiting, "/0/price/amount")), ("offer", "350.00"));
        let id = part(&waiting, "/0/negotiation");
        town.tells("alice", &["inbox"], &["make an offer", "bob", "Motorway junction", "a person: you", " days"]);
        town.tells("alice", &["show", id], &["Bob Simulation SE", "There is no offer on the table", "Next"]);
        if reason.is_empty() {
            let why = town.fails("alice", &["offer", id, "--accept-within", "10d"], 1);
            for words in ["to be accepted within 10 days, to be recorded within 3 days", "--record-within"] {
                assert!(why.contains(words), "{words} is missing: {why}");
            }
            let offer = ["offer", id, "--price", "375.00 EUR", "--accept-within", "2h"];
            town.tells("alice", &offer, &["375.00 EUR, fee 25.00 EUR", "to be accepted in "]);
        } else {
            town.says("alice", &["reject", id, "--reason", reason]);
            for who in ["alice", "bob"] {
                assert!(town.fails(who, &["watch", "latest", "--wait", "60"], 1).contains(reason));
            }
        }
    }
}

fn it_ends_a_contract(town: &Town) {
    let waiting = town.json("bob", &["inbox", "--wait", "60"]);
    let id = part(&waiting, "/0/negotiation");
    town.says("bob", &["accept", brief(id)]);
    town.says("alice", &["watch", "latest", "--wait", "60"]);
    town.tells("alice", &["contracts"], &["Motorway junction", "bob", "in force", "375.00 EUR"]);
    let why = town.fails("bob", &["end", id, "--reason", "breach"], 1);
    assert!(why.contains("this party is the consumer") && why.contains("countersign withdraw"), "{why}");
    let why = town.fails("alice", &["withdraw", "latest", "--reason", "breach"], 1);
    assert!(why.contains("this party is the provider") && why.contains("countersign end"), "{why}");
    town.tells("alice", &["end", "latest", "--reason", "by-agreement"], &["is ended"]);
    for who in ["alice", "bob"] {
        town.tells(who, &["contracts", "--standing", "ended"], &["its provider ended it on", "(by agreement)"]);
        town.tells(who, &["show", "latest"], &["ENDED by its provider: by agreement"]);
    }
    // The registry keeps the first ground, and nobody is told otherwise.
    let why = town.fails("alice", &["end", "latest", "--reason", "breach"], 1);
    assert!(why.contains("was ended already at") && why.contains("“by agreement”"), "{why}");
    town.tells("alice", &["show", "latest"], &["decided here by a person (desk): end, on the offer 0x"]);
    assert!(!town.says("bob", &["show", "latest"]).contains("(desk): end"));
    assert!(town.says("bob", &["contracts", "--standing", "in-force"]).contains("no contracts here"));
}

/// From the directory on the provider's disk to the one on the consumer's.
fn it_delivers_a_directory(town: &Town) {
    let asked = town.json("bob", &["request", "--from", "alice", "--asset", "Road tiles"]);
    let id = part(&asked, "/id");
    let waiting = town.json("alice", &["inbox", "--wait", "60"]);
    town.says("alice", &["offer", part(&waiting, "/0/negotiation")]);
    town.says("bob", &["watch", id, "--until", "OFFERED", "--wait", "60"]);
    town.says("bob", &["accept", id]);
    town.says("bob", &["watch", id, "--wait", "60"]);
    let fetched = town.eventually("the gate's opening", || {
        let output = town.run("bob", &["fetch", id, "-o", "bobs-tiles", "--json"]);
        output.status.success().then(|| serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap())
    });
    assert_eq!((&fetched["files"], &fetched["fetched"]), (&json!(2), &json!(2)));
    assert_eq!(fetched["receipts"].as_array().unwrap().len(), 3);
    for file in ["SHA256SUMS", "north.xodr", "signs/all signs.csv"] {
        let [theirs, ours] = ["tiles", "bobs-tiles"].map(|dir| fs::read(town.path(dir).join(file)).unwrap());
        assert_eq!(theirs, ours, "{file}");
    }
    town.tells("bob", &["fetch", id, "-o", "bobs-tiles"], &["2 files", "0 came now"]);
    // All of that was one use of three.
    fs::write(town.path("tiles/north.xodr"), "something else").unwrap();
    let why = town.fails("bob", &["fetch", id, "-o", "others"], 1);
    assert!(why.contains("north.xodr") && why.contains("other bytes than the contract's"), "{why}");
    fs::write(town.path("tiles/north.xodr"), ASSET).unwrap();
    assert_eq!(town.json("bob", &["fetch", id, "-o", "others", "--yes"])["fetched"], 2);
    assert!(town.fails("bob", &["fetch", id, "-o", "fourth"], 1).contains("policy.constraint"));
}
