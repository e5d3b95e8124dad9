//! What several test binaries share.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod data;
pub mod script;

use std::io::Write;
use std::path::PathBuf;

/// Says that a test did not run, and why. Written past the test harness's capture, so that the line is always seen.
pub fn skipped(test: &str, why: &str) {
    let line = format!("{test} skipped: {why}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// A file or folder below `../shared`, or `None`, said on the test's line, where it is not there.
pub fn shared(test: &str, path: &str) -> Option<PathBuf> {
    let full = root().join("../shared").join(path);
    if full.exists() {
        Some(full)
    } else {
        skipped(test, "no ../shared");
        None
    }
}

/// The package's own folder.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
