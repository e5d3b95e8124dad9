//! What is logged: as RUST_LOG says, but never what stands in a request to the hub, and in characters that can be seen.

use crate::types::printable_lines;
use env_logger::{Builder, Env, Logger};
use log::{Level, Log, Metadata, Record};
use std::io::Write;

/// Begins to log errors, or what RUST_LOG asks for, to standard error.
pub(super) fn start() {
    let mut builder = Builder::from_env(Env::default().default_filter_or("error"));
    builder.format(|out, record| {
        let words = record.args().to_string();
        writeln!(out, "[{:<5} {}] {}", record.level(), record.target(), printable_lines(&words))
    });
    let logger = Discreet(builder.build());
    let most = logger.0.filter();
    // It fails when there is a logger already, which then goes on.
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(most);
    }
}

/// A logger that hears nothing of what the HTTP client says at `trace`: there it writes the bytes of every request, the token
/// in them, and the signed addresses of downloads. A filter of RUST_LOG could ask for that by its exact target; this cannot
/// be asked.
struct Discreet(Logger);

fn is_discreet(about: &Metadata<'_>) -> bool {
    about.level() < Level::Trace || !about.target().starts_with("ureq")
}

impl Log for Discreet {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        is_discreet(about) && self.0.enabled(about)
    }

    fn log(&self, record: &Record<'_>) {
        if is_discreet(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}
