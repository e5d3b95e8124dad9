//! Downloads from a hub on loopback into a cache of their own: what lies there afterwards, and what every fault of a
//! network comes to.

#[path = "hub/doubt.rs"]
mod doubt;
#[path = "support/hub_server.rs"]
mod hub_server;
mod support;

use fovea::hub::{
    CachedModel, DownloadState, HubCommand, HubEvent, HubHandle, HubSettings, ReadCard, RepoId, RetryPolicy, Token,
    free_space, list,
};
use fovea::types::UserError;
use hub_server::{COMMIT, Fault, HubServer};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::root;

const NO_CARD: ReadCard = |_| Err(UserError::new("", "", ""));
const PATIENCE: Duration = Duration::from_secs(20);
const ID: &str = "ada/tiny";
const INDEX: &str = "model.safetensors.index.json";

/// A hub, a cache and a client of both.
struct HubRig {
    server: HubServer,
    scratch: tempfile::TempDir,
    hub: HubHandle,
}

/// How a download ended.
#[derive(Debug)]
enum End {
    Fetched(PathBuf),
    Cancelled,
    Failed(UserError),
}

impl HubRig {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut HubSettings)) -> Self {
        let server = HubServer::start();
        let scratch = tempfile::tempdir().unwrap();
        let mut settings = settings(&server.endpoint(), scratch.path());
        change(&mut settings);
        let hub = HubHandle::start(settings, Box::new(|| ())).unwrap();
        let bench = Self { server, scratch, hub };
        bench.server.add(
            ID,
            &[
                ("config.json", b"{}"),
                ("tokenizer.json", b"[]"),
                ("model.safetensors", &weights()),
                ("training.log", b"x"),
            ],
        );
        bench
    }

    fn folder(&self) -> PathBuf {
        self.scratch.path().join("hub/models--ada--tiny")
    }

    fn snapshot(&self, file: &str) -> PathBuf {
        self.folder().join("snapshots").join(COMMIT).join(file)
    }

    fn part(&self) -> PathBuf {
        self.folder().join("blobs").join(format!("{}.incomplete", sha256(&weights())))
    }

    fn ask(&self, id: &str) {
        self.hub.try_send(HubCommand::Fetch { id: RepoId::parse(id).unwrap() }).unwrap();
    }

    fn cancel(&self, id: &str) {
        self.hub.try_send(HubCommand::Cancel { id: RepoId::parse(id).unwrap() }).unwrap();
    }

    /// Hears until a download ends; what it said on the way is told as well.
    fn end(&self) -> (RepoId, End, Vec<DownloadState>) {
        let begun = Instant::now();
        let mut said = Vec::new();
        while begun.elapsed() < PATIENCE {
            match self.hub.recv_timeout(Duration::from_millis(50)) {
                Some(HubEvent::Progress { state, .. }) => said.push(state),
                Some(HubEvent::Fetched { id, path }) => return (id, End::Fetched(path), said),
                Some(HubEvent::Cancelled { id }) => return (id, End::Cancelled, said),
                Some(HubEvent::Failed { id, error }) => return (id, End::Failed(error), said),
                _ => {}
            }
        }
        panic!("the download did not end; it said {said:?}");
    }

    fn fetch(&self) -> End {
        self.ask(ID);
        self.end().1
    }

    fn failure(&self) -> UserError {
        let End::Failed(error) = self.fetch() else { panic!("fetched") };
        assert!(!self.folder().join("refs").exists(), "a failed download must not be named the newest version");
        assert!(!self.snapshot("model.safetensors").exists());
        error
    }

    /// Waits until the part file holds something.
    fn until_some_is_there(&self) -> u64 {
        let begun = Instant::now();
        loop {
            match self.part().metadata() {
                Ok(found) if found.len() > 0 => return found.len(),
                _ => assert!(begun.elapsed() < PATIENCE, "nothing came"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn is_whole(&self) {
        assert_eq!(fs::read(self.snapshot("model.safetensors")).unwrap(), weights());
        assert!(!self.part().exists());
        let [CachedModel { complete: true, .. }] = list(&self.scratch.path().join("hub"), NO_CARD)[..] else {
            panic!("not listed as complete")
        };
    }
}

fn settings(endpoint: &str, scratch: &Path) -> HubSettings {
    let retry =
        RetryPolicy { tries: 3, first_wait: Duration::from_millis(20), longest_wait: Duration::from_millis(40) };
    let endpoint = endpoint.to_owned();
    HubSettings {
        programs: Default::default(),
        cache: scratch.join("hub"),
        endpoint,
        token: None,
        offline: false,
        retry,
        read_card: NO_CARD,
        free_space,
    }
}

/// Another process with the server and the cache of `bench`, as after a restart.
fn started(bench: &HubRig, change: impl FnOnce(&mut HubSettings)) -> HubHandle {
    let mut settings = settings(&bench.server.endpoint(), bench.scratch.path());
    change(&mut settings);
    HubHandle::start(settings, Box::new(|| ())).unwrap()
}

/// Bytes that stand for weights: large enough to lie in large-file storage and to come in several pieces.
fn weights() -> Vec<u8> {
    (0..1_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Every file and link below a folder, with what a link says.
fn tree(folder: &Path) -> Vec<String> {
    fn walk(dir: &Path, base: &Path, out: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.strip_prefix(base).unwrap().display().to_string();
            match fs::read_link(&path) {
                Ok(target) => out.push(format!("{name} -> {}", target.display())),
                Err(_) if path.is_dir() => walk(&path, base, out),
                Err(_) => out.push(name),
            }
        }
    }
    let mut out = Vec::new();
    walk(folder, folder, &mut out);
    out.sort();
    out
}

#[cfg(unix)]
#[test]
fn the_cache_has_the_layout_of_the_python_library() {
    let bench = HubRig::new();
    let End::Fetched(path) = bench.fetch() else { panic!() };
    assert_eq!(path, bench.snapshot("").components().collect::<PathBuf>());
    let large = sha256(&weights());
    // `git hash-object` of "{}" and "[]".
    let (config, tokenizer) = ("9e26dfeeb6e641a33dae4961196235bdb965b21b", "0637a088a01e8ddab3bf3fa98dbe804cbde1a0dc");
    let link = |name: &str, blob: &str| format!("models--ada--tiny/snapshots/{COMMIT}/{name} -> ../../blobs/{blob}");
    let mut expected = vec![
        "CACHEDIR.TAG".to_owned(),
        "models--ada--tiny/refs/main".to_owned(),
        link("config.json", config),
        link("tokenizer.json", tokenizer),
        link("model.safetensors", &large),
    ];
    for blob in [config, tokenizer, &large] {
        expected.push(format!("models--ada--tiny/blobs/{blob}"));
        expected.push(format!(".locks/models--ada--tiny/{blob}.lock"));
        expected.push(format!(".locks/models--ada--tiny/{blob}.verified"));
    }
    expected.sort();
    assert_eq!(tree(&bench.scratch.path().join("hub")), expected);
    assert_eq!(fs::read_to_string(bench.folder().join("refs/main")).unwrap(), COMMIT);
    bench.is_whole();
}

#[test]
fn what_is_there_is_not_fetched_again() {
    let bench = HubRig::new();
    assert!(matches!(bench.fetch(), End::Fetched(_)));
    assert!(matches!(bench.fetch(), End::Fetched(_)));
    assert_eq!(bench.server.ranges("model.safetensors"), [""]);
}

#[test]
fn an_encoder_in_a_folder_of_its_own_comes_along() {
    let bench = HubRig::new();
    let files: [(&str, &[u8]); 6] = [
        ("modules.json", b"[]"),
        ("config.json", b"{ }"),
        ("0_Transformer/config.json", b"{}"),
        ("0_Transformer/model.safetensors.index.json", br#"{"weight_map": {"a": "one.safetensors"}}"#),
        ("0_Transformer/one.safetensors", &weights()),
        ("1_Pooling/config.json", b"{  }"),
    ];
    bench.server.add(ID, &files);
    assert!(matches!(bench.fetch(), End::Fetched(_)));
    for (name, bytes) in files {
        assert_eq!(fs::read(bench.snapshot(name)).unwrap(), bytes, "{name}");
    }
    let models = || list(&bench.scratch.path().join("hub"), NO_CARD);
    assert!(models()[0].complete);
    fs::remove_file(bench.snapshot("0_Transformer/one.safetensors")).unwrap();
    assert!(!models()[0].complete);
}

#[test]
fn progress_counts_every_byte_and_never_goes_back() {
    let bench = HubRig::new();
    bench.ask(ID);
    let (_, End::Fetched(_), said) = bench.end() else { panic!() };
    let last = said.last().unwrap();
    assert_eq!((last.done, last.total, last.share()), (1_000_004, 1_000_004, Some(1.0)));
    assert!(said.windows(2).all(|pair| pair[0].done <= pair[1].done), "{said:?}");
}

#[test]
fn a_broken_connection_goes_on_where_it_broke() {
    let bench = HubRig::new();
    bench.server.fault("model.safetensors", Fault::Break { after: 300_000, times: 2 });
    assert!(matches!(bench.fetch(), End::Fetched(_)));
    bench.is_whole();
    let ranges = bench.server.ranges("model.safetensors");
    assert_eq!(ranges, ["", "bytes=300000-", "bytes=600000-"]);
}

#[test]
fn a_connection_that_keeps_breaking_is_given_up_and_resumed_later() {
    let bench = HubRig::new();
    bench.server.fault("model.safetensors", Fault::Break { after: 0, times: 99 });
    let error = bench.failure();
    assert!(error.what.contains("model.safetensors") && error.next.contains("Resume"), "{error}");
    assert_eq!(bench.server.ranges("model.safetensors").len(), 3, "as often as the policy says");
    bench.server.heal();
    assert!(matches!(bench.fetch(), End::Fetched(_)));
    bench.is_whole();
}

#[test]
fn a_cancelled_download_goes_on_with_a_range() {
    let bench = HubRig::new();
    bench.server.fault("model.safetensors", Fault::Stall);
    bench.ask(ID);
    bench.until_some_is_there();
    let asked = Instant::now();
    bench.cancel(ID);
    let (_, end, _) = bench.end();
    assert!(matches!(end, End::Cancelled), "{end:?}");
    assert!(asked.elapsed() < Duration::from_secs(5), "a silent server held the end up for {:?}", asked.elapsed());
    let kept = bench.until_some_is_there();
    let [model] = &list(&bench.scratch.path().join("hub"), NO_CARD)[..] else { panic!() };
    assert!(!model.complete && model.bytes >= kept);

    // A new process, as after a restart.
    bench.server.heal();
    let later = HubRig { hub: started(&bench, |_| ()), ..bench };
    assert!(matches!(later.fetch(), End::Fetched(_)));
    later.is_whole();
    assert_eq!(later.server.ranges("model.safetensors"), [String::new(), format!("bytes={kept}-")]);
}

#[test]
fn a_server_that_ignores_ranges_begins_again() {
    let bench = HubRig::new();
    fs::create_dir_all(bench.folder().join("blobs")).unwrap();
    fs::write(bench.part(), &weights()[..400_000]).unwrap();
    bench.server.fault("model.safetensors", Fault::IgnoresRange);
    assert!(matches!(bench.fetch(), End::Fetched(_)));
    bench.is_whole();
    assert_eq!(bench.server.ranges("model.safetensors"), ["bytes=400000-"]);
}

#[test]
fn a_damaged_part_is_found_by_its_hash_and_thrown_away() {
    let bench = HubRig::new();
    fs::create_dir_all(bench.folder().join("blobs")).unwrap();
    fs::write(bench.part(), vec![7; 400_000]).unwrap();
    let error = bench.failure();
    assert!(error.why.contains("hash"), "{error}");
    assert!(!bench.part().exists());
    // A part longer than the file is of no use either.
    fs::write(bench.part(), vec![7; 1_000_001]).unwrap();
    assert!(matches!(bench.fetch(), End::Fetched(_)));
    bench.is_whole();
}

#[test]
fn a_wrong_hash_is_refused() {
    for file in ["model.safetensors", "config.json"] {
        let bench = HubRig::new();
        bench.server.fault(file, Fault::OtherBytes);
        let error = bench.failure();
        assert!(error.what.contains(file) && error.why.contains("hash"), "{error}");
        assert!(!bench.part().exists(), "what is wrong is thrown away");
        bench.server.heal();
        assert!(matches!(bench.fetch(), End::Fetched(_)));
        bench.is_whole();
    }
}

#[test]
fn a_wrong_length_is_refused() {
    let bench = HubRig::new();
    bench.server.fault("model.safetensors", Fault::Shorter);
    let error = bench.failure();
    assert_eq!(error.what, "The file model.safetensors has 999999 bytes instead of 1000000.");
}

#[test]
fn a_web_page_in_place_of_a_file_is_told() {
    for (file, kind) in
        [("config.json", "text/html; charset=utf-8"), ("api", "text/html"), ("config.json", "text/plain")]
    {
        let bench = HubRig::new();
        bench.server.fault(file, Fault::Page(kind));
        let error = bench.failure();
        assert!(error.what.contains("is a web page") || kind == "text/plain", "{error}");
        assert!(error.what.contains("web page") || error.what.contains("bytes instead of"), "{error}");
    }
}

#[test]
fn a_zipped_list_that_never_ends_is_not_unpacked() {
    let bench = HubRig::new();
    bench.server.fault("api", Fault::Zipped(65_000_000));
    let error = bench.failure();
    assert!(error.to_string().contains("larger than 64.0 MB"), "{error}");
}

#[test]
fn permission_is_explained() {
    let fault = Fault::Status { code: 401, headers: "x-error-code: GatedRepo\r\n" };
    let without = HubRig::new();
    without.server.fault("config.json", fault);
    let error = without.failure();
    assert!(error.why.contains("no token"), "{error}");
    assert!(error.next.contains(&format!("{}/{ID}", without.server.endpoint())) && error.next.contains("HF_TOKEN"));
    let with = HubRig::with(|settings| settings.token = Some(Token("hf_secret".into())));
    with.server.fault("api", Fault::Status { code: 403, headers: "" });
    let error = with.failure();
    assert!(error.why.contains("gives no access") && !error.to_string().contains("hf_secret"), "{error}");
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let bench = HubRig::with(|settings| settings.token = Some(Token("hf_secret".into())));
    assert!(matches!(bench.fetch(), End::Fetched(_)));
    let requests = bench.server.requests();
    let (elsewhere, hub): (Vec<_>, Vec<_>) = requests.iter().partition(|r| r.headers["host"].starts_with("localhost"));
    assert!(!elsewhere.is_empty() && elsewhere.iter().all(|r| !r.headers.contains_key("authorization")));
    assert!(hub.iter().all(|r| r.headers["authorization"] == "Bearer hf_secret"));
}

#[test]
fn a_misspelt_name_is_told() {
    let bench = HubRig::new();
    bench.ask("ada/tinny");
    let (id, End::Failed(error), _) = bench.end() else { panic!() };
    assert_eq!(id.as_str(), "ada/tinny");
    assert!(error.what.contains("no model ada/tinny") && error.why.contains("misspelt"), "{error}");
    bench.server.fault("api", Fault::Status { code: 404, headers: "" });
    assert!(bench.failure().why.contains("misspelt"));
}

#[test]
fn a_busy_server_is_asked_again_and_then_left_alone() {
    let bench = HubRig::new();
    bench.server.fault("api", Fault::Status { code: 429, headers: "retry-after: 0\r\n" });
    let error = bench.failure();
    assert!(error.why.contains("429") && error.next.contains("Wait"), "{error}");
    assert_eq!(bench.server.requests().len(), 3);
    bench.server.fault("api", Fault::Status { code: 503, headers: "" });
    assert!(bench.failure().what.contains("503"));
}

#[test]
fn offline_is_told_at_once_and_as_such() {
    // A port nobody listens on: it was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = HubRig::with(|settings| settings.endpoint = format!("http://127.0.0.1:{port}"));
    let error = nobody.failure();
    assert!(error.why.contains("offline") && error.why.contains("refused"), "{error}");
    let unknown = HubRig::with(|settings| settings.endpoint = "http://no-such-host.invalid".into());
    let error = unknown.failure();
    assert!(error.what.contains("cannot be reached"), "{error}");
    let mode = HubRig::with(|settings| settings.offline = true);
    assert!(mode.failure().why.contains("HF_HUB_OFFLINE"));
    assert!(mode.server.requests().is_empty());
}

#[test]
fn a_repository_without_a_model_is_refused() {
    let bench = HubRig::new();
    bench.server.add(ID, &[("README.md", b"# Words"), ("model.gguf", &weights())]);
    let error = bench.failure();
    assert!(error.what.contains("no files that Fovea can open") && error.next.contains("GGUF"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let bench = HubRig::new();
    fs::create_dir_all(bench.folder().join("blobs")).unwrap();
    // Writing to this device fails as writing to a full disk does.
    std::os::unix::fs::symlink("/dev/full", bench.part()).unwrap();
    let error = bench.failure();
    assert_eq!(error.what, "The disk is full.");
    assert!(error.why.contains("1.00 MB more are needed"), "{error}");
}

#[test]
fn a_file_that_another_program_fetches_is_left_alone() {
    let bench = HubRig::new();
    let locks = bench.scratch.path().join("hub/.locks/models--ada--tiny");
    fs::create_dir_all(&locks).unwrap();
    let held = fs::File::create(locks.join(format!("{}.lock", sha256(&weights())))).unwrap();
    held.lock().unwrap();
    assert!(bench.failure().what.contains("by another program"));
    drop(held);
    assert!(matches!(bench.fetch(), End::Fetched(_)));
}

#[test]
fn shards_and_files_in_folders_come_along() {
    let bench = HubRig::new();
    let index =
        br#"{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}"#;
    let files: [(&str, &[u8]); 6] = [
        ("config.json", b"{}"),
        ("model.safetensors.index.json", index),
        ("model-00001-of-00002.safetensors", &weights()),
        ("model-00002-of-00002.safetensors", b"second"),
        ("modules.json", b"[]"),
        ("1_Pooling/config.json", b"{ }"),
    ];
    bench.server.add(ID, &files);
    assert!(matches!(bench.fetch(), End::Fetched(_)));
    for (name, bytes) in files {
        assert_eq!(fs::read(bench.snapshot(name)).unwrap(), bytes, "{name}");
    }
    // An index that names a file elsewhere is refused before anything is written there.
    let evil = br#"{"weight_map": {"a": "../../../../evil.safetensors"}}"#;
    let other = HubRig::new();
    other.server.add(ID, &[("config.json", b"{}"), ("model.safetensors.index.json", evil)]);
    assert!(other.failure().why.contains("no file beside it"));
    // One that names settings as weights is no index either.
    let confused = HubRig::new();
    confused.server.add(ID, &[("config.json", b"{}"), (INDEX, br#"{"weight_map": {"a": "config.json"}}"#)]);
    let error = confused.failure();
    assert!(error.why.contains("config.json, which is no file of weights (.safetensors)"), "{error}");
}

#[test]
fn downloads_queue_up_and_a_waiting_one_is_cancelled_at_once() {
    let bench = HubRig::new();
    bench.server.add("ada/second", &[("config.json", b"{}"), ("model.safetensors", b"second")]);
    bench.server.fault("model.safetensors", Fault::Stall);
    bench.ask(ID);
    bench.ask("ada/second");
    bench.ask("ada/third");
    bench.ask("ada/second");
    bench.until_some_is_there();
    bench.cancel("ada/third");
    let (id, end, _) = bench.end();
    assert!(matches!(end, End::Cancelled), "{end:?}");
    assert_eq!(id.as_str(), "ada/third");
    bench.server.heal();
    bench.cancel(ID);
    assert_eq!(bench.end().0.as_str(), ID);
    let (id, end, _) = bench.end();
    assert!(matches!(end, End::Fetched(_)), "{end:?}");
    assert_eq!(id.as_str(), "ada/second");
    assert!(bench.hub.recv_timeout(Duration::from_millis(300)).is_none(), "asked for twice, it is fetched once");
}

#[test]
fn the_end_of_the_program_does_not_wait_for_a_silent_server() {
    let bench = HubRig::new();
    bench.server.fault("model.safetensors", Fault::Stall);
    bench.ask(ID);
    bench.until_some_is_there();
    let asked = Instant::now();
    drop(bench.hub);
    assert!(asked.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_fetched_model_is_the_one_that_was_served() {
    let bench = HubRig::new();
    let golden = root().join("tests/golden/llama");
    bench.server.add_folder(ID, &golden);
    let End::Fetched(path) = bench.fetch() else { panic!() };
    for file in ["config.json", "generation_config.json", "tokenizer.json", "model.safetensors"] {
        assert_eq!(fs::read(path.join(file)).unwrap(), fs::read(golden.join(file)).unwrap(), "{file}");
    }
}
