//! Damaged and hostile files: whatever a folder, a table, a session or a hub holds, reading it ends with a value or with a
//! message, never with a crash, a hang or a memory the machine does not have.
//!
//! The targets: config.json, the safetensors file, a GGUF file, tokenizer.json and the chat template; tables of examples, files of digits,
//! the window's session and the answers of a hub. Each takes good files, most of them of the golden models, and changes
//! them at random, by structure (values of JSON) and by bytes. A short run with fixed seeds belongs to the
//! tests; a long one goes on for `FOVEA_FUZZ_SECONDS` (600 unless told) with seeds of its own:
//!
//!     cargo test --release --test fuzz -- --ignored --nocapture
//!
//! The input being tried is written to `target/fuzz/<target>` first, so that one that kills the process is still there. Such
//! inputs are kept in `tests/fuzz/<target>/` and tried again by every run of the tests.

#[path = "fuzz/data.rs"]
mod data;
#[path = "fuzz/hub.rs"]
mod hub;
#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/session.rs"]
mod session;
#[path = "fuzz/targets.rs"]
mod targets;

use fovea::nn::Random;
use mutate::Mutator;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use targets::Target;

/// Inputs of the short run.
const SHORT_RUN: usize = 400;
/// Longer than any input may take. Tiny models open in milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a run has met: inputs that were accepted and that were refused.
#[derive(Default)]
struct Tally {
    accepted: usize,
    refused: usize,
}

struct Run {
    target: Target,
    /// Where the input being tried is written.
    last: PathBuf,
}

impl Run {
    fn new(target: Target) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
        std::fs::create_dir_all(&dir).unwrap();
        Self { target, last: dir.join(target.name()) }
    }

    /// Tries one input. What it finds is a panic, which fails the test, or a death of the process.
    fn attempt(&self, input: &[u8], tally: &mut Tally) {
        std::fs::write(&self.last, input).unwrap();
        let watch = Watch::start(self.last.clone());
        match self.target.attempt(input) {
            Ok(()) => tally.accepted += 1,
            Err(message) => {
                assert!(
                    message.lines().count() >= 2,
                    "{}: a refusal without why and next: {message}",
                    self.target.name()
                );
                tally.refused += 1;
            }
        }
        drop(watch);
    }
}

/// Ends the process when an input takes too long: a test that hangs says nothing.
struct Watch(std::sync::Arc<AtomicU64>);

impl Watch {
    fn start(input: PathBuf) -> Self {
        let done = std::sync::Arc::new(AtomicU64::new(0));
        let seen = done.clone();
        let watch = move || {
            let begun = Instant::now();
            while seen.load(Ordering::Relaxed) == 0 {
                if begun.elapsed() > PATIENCE {
                    eprintln!("{} takes longer than {PATIENCE:?}", input.display());
                    std::process::abort();
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        std::thread::Builder::new().name("watch".to_owned()).spawn(watch).expect("a thread can be started");
        Self(done)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.store(1, Ordering::Relaxed);
    }
}

/// The inputs that once did harm, and then so many changed ones.
fn short(target: Target) {
    let run = Run::new(target);
    let mut tally = Tally::default();
    let kept = root().join("tests/fuzz").join(target.name());
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(kept).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        run.attempt(&std::fs::read(file).unwrap(), &mut tally);
    }
    let mut tally = Tally::default();
    for seed in target.seeds() {
        run.attempt(&seed, &mut tally);
    }
    assert_eq!(tally.refused, 0, "{}: a file that was not changed is refused", target.name());
    let mut mutator = Mutator::new(target.seeds(), Random::new(1, target as u64));
    for _ in 0..SHORT_RUN {
        run.attempt(&mutator.next(), &mut tally);
    }
    // Neither all refused (nothing behind the first check would be tried) nor all accepted (nothing was damaged).
    assert!(tally.refused > SHORT_RUN / 50, "{}: only {} inputs are refused", target.name(), tally.refused);
    assert!(tally.accepted > SHORT_RUN / 50, "{}: only {} inputs are accepted", target.name(), tally.accepted);
}

/// As many inputs as fit in the time.
fn long(target: Target) {
    let seconds = std::env::var("FOVEA_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(600);
    let run = Run::new(target);
    let mut tally = Tally::default();
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("{}: seed {seed}", target.name());
    let mut mutator = Mutator::new(target.seeds(), Random::new(seed, target as u64));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        run.attempt(&mutator.next(), &mut tally);
    }
    let Tally { accepted, refused } = tally;
    println!("{}: {} inputs in {seconds} s, {accepted} accepted, {refused} refused", target.name(), accepted + refused);
}

#[test]
fn changed_configs() {
    short(Target::Config);
}

#[test]
fn changed_weights() {
    short(Target::Weights);
}

#[test]
fn changed_files_in_gguf() {
    short(Target::Gguf);
}

#[test]
fn changed_tokenizers() {
    short(Target::Tokenizer);
}

#[test]
fn changed_templates() {
    short(Target::Template);
}

#[test]
fn changed_tables() {
    short(Target::Table);
}

#[test]
fn changed_digits() {
    short(Target::Digit);
}

#[test]
fn changed_sessions() {
    short(Target::Session);
}

#[test]
fn changed_hub_answers() {
    short(Target::Hub);
}

#[test]
#[ignore = "runs for ten minutes"]
fn long_run_of_configs() {
    long(Target::Config);
}

#[test]
#[ignore = "runs for ten minutes"]
fn long_run_of_files_in_gguf() {
    long(Target::Gguf);
}

#[test]
#[ignore = "runs for ten minutes"]
fn long_run_of_weights() {
    long(Target::Weights);
}

#[test]
#[ignore = "runs for ten minutes"]
fn long_run_of_tokenizers() {
    long(Target::Tokenizer);
}

#[test]
#[ignore = "runs for ten minutes"]
fn long_run_of_templates() {
    long(Target::Template);
}

#[test]
#[ignore = "runs for ten minutes"]
fn long_run_of_tables() {
    long(Target::Table);
}

#[test]
#[ignore = "runs for ten minutes"]
fn long_run_of_digits() {
    long(Target::Digit);
}

#[test]
#[ignore = "runs for ten minutes"]
fn long_run_of_sessions() {
    long(Target::Session);
}

#[test]
#[ignore = "runs for ten minutes"]
fn long_run_of_hub_answers() {
    long(Target::Hub);
}
