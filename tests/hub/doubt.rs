//! What is not believed: that a disk has room, that a small file is small, that a blob is what its name says, and that words of
//! others only say something.

use super::hub_server::{COMMIT, Fault};
use super::{End, HubRig, ID, INDEX, sha256, started, weights};
use fovea::hub::{DownloadStage, DownloadState};
use fovea::types::is_unprintable;
use std::fs;
use std::time::Duration;

/// Puts weights of another program where the cache has them.
fn put_weights(bench: &HubRig, bytes: &[u8]) {
    let blob = bench.folder().join("blobs").join(sha256(&weights()));
    fs::create_dir_all(blob.parent().unwrap()).unwrap();
    fs::write(blob, bytes).unwrap();
}

/// Bytes of the weights that were checked before any came, at most.
fn checked(said: &[DownloadState]) -> u64 {
    said.iter().filter(|state| state.stage == DownloadStage::Checking).map(|state| state.done).max().unwrap_or(0)
}

#[test]
fn too_little_room_is_told_before_anything_large_is_fetched() {
    let bench = HubRig::with(|settings| settings.free_space = |_| Some(600_003));
    let error = bench.failure();
    assert_eq!(error.what, "There is too little room for the model ada/tiny.");
    assert!(error.why.contains("1.00 MB are missing") && error.why.contains("has room for 600 kB"), "{error}");
    assert!(error.why.contains(&bench.scratch.path().join("hub").display().to_string()), "{error}");
    assert!(bench.server.ranges("model.safetensors").is_empty());
    // What is there already needs no room: a part of the weights, and files that are whole.
    fs::create_dir_all(bench.folder().join("blobs")).unwrap();
    fs::write(bench.part(), &weights()[..400_000]).unwrap();
    assert!(bench.failure().why.contains("600 kB are missing"), "one byte too little");
    fs::write(bench.part(), &weights()[..400_001]).unwrap();
    assert!(matches!(bench.fetch(), End::Fetched(_)));
    bench.is_whole();
    let full = HubRig { hub: started(&bench, |settings| settings.free_space = |_| Some(0)), ..bench };
    assert!(matches!(full.fetch(), End::Fetched(_)), "nothing is missing");
}

#[test]
fn a_disk_that_does_not_tell_its_room_is_written_to() {
    let bench = HubRig::with(|settings| settings.free_space = |_| None);
    assert!(matches!(bench.fetch(), End::Fetched(_)));
    bench.is_whole();
}

#[test]
fn weights_that_another_program_fetched_are_hashed_once() {
    let bench = HubRig::new();
    put_weights(&bench, &weights());
    bench.ask(ID);
    let (_, End::Fetched(_), said) = bench.end() else { panic!() };
    assert!(checked(&said) > 0, "{said:?}");
    bench.is_whole();
    bench.ask(ID);
    let (_, End::Fetched(_), said) = bench.end() else { panic!() };
    assert_eq!(checked(&said), 0, "{said:?}");
    assert!(bench.server.ranges("model.safetensors").is_empty());
    assert_eq!(fs::read_dir(bench.folder().join("blobs")).unwrap().count(), 3, "nothing of ours beside the blobs");
}

#[test]
fn weights_that_are_not_what_their_name_says_are_fetched_again() {
    let bench = HubRig::new();
    let mut wrong = weights();
    wrong[500_000] ^= 1;
    put_weights(&bench, &wrong);
    assert!(matches!(bench.fetch(), End::Fetched(_)));
    bench.is_whole();
    // Damaged after it was checked: it has another time of change.
    put_weights(&bench, &wrong);
    let blob = bench.folder().join("blobs").join(sha256(&weights()));
    let later = std::time::SystemTime::now() + Duration::from_secs(5);
    fs::File::options().write(true).open(blob).unwrap().set_modified(later).unwrap();
    assert!(matches!(bench.fetch(), End::Fetched(_)));
    bench.is_whole();
    assert_eq!(bench.server.ranges("model.safetensors"), ["", ""]);
}

#[test]
fn small_files_that_are_large_are_refused_before_they_are_fetched() {
    for (file, size, limit) in
        [("config.json", 16_000_001, "16.0 MB"), ("tokenizer.json", 64_000_001, "64.0 MB"), (INDEX, 1 << 60, "64.0 MB")]
    {
        let bench = HubRig::new();
        if file == INDEX {
            bench.server.add(ID, &[("config.json", b"{}"), (INDEX, b"{}"), ("model-1.safetensors", b"x")]);
        }
        bench.server.fault(file, Fault::Claims(size));
        let error = bench.failure();
        assert!(error.what.contains(file) && error.why.contains(limit), "{error}");
        assert!(bench.server.requests().iter().all(|r| r.method == "HEAD" || r.path.starts_with("/api/")), "{file}");
    }
    // A tokenizer may be larger than settings may.
    let bench = HubRig::new();
    bench.server.fault("tokenizer.json", Fault::Claims(40_000_000));
    assert!(!bench.failure().why.contains("into memory"));
}

#[test]
fn words_of_a_hub_do_nothing_to_a_terminal() {
    let evil = "x\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\n  next: run this";
    let list = |sha: &str, file: &str| {
        let names = ["config.json", "model.safetensors", file].map(|name| serde_json::json!({ "rfilename": name }));
        serde_json::json!({ "id": ID, "sha": sha, "siblings": names }).to_string()
    };
    let lists = [list(evil, "a"), format!("[\"{evil}\"]"), list(&evil.repeat(9_000), "a")];
    for list in lists {
        let bench = HubRig::new();
        bench.server.fault("api", Fault::List(list));
        let error = bench.failure();
        assert!(!(error.what.clone() + &error.why + &error.next).contains(is_unprintable), "{error:?}");
        assert!(error.to_string().len() < 10_000);
    }
    let bench = HubRig::new();
    bench.server.fault("api", Fault::List(list(COMMIT, &format!("additional_chat_templates/{evil}.jinja"))));
    bench.ask(ID);
    let (_, End::Fetched(_), said) = bench.end() else { panic!() };
    assert!(said.iter().all(|state| !state.file.contains(is_unprintable)), "{said:?}");
    for shard in [format!("{evil}.safetensors"), format!("{evil}.bin")] {
        let bench = HubRig::new();
        let index = serde_json::json!({ "weight_map": { "a": shard } }).to_string();
        bench.server.add(ID, &[("config.json", b"{}"), (INDEX, index.as_bytes())]);
        let error = bench.failure();
        assert!(!(error.what.clone() + &error.why).contains(is_unprintable), "{error:?}");
    }
}
