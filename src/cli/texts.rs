//! Texts of a file on the command line, a portion at a time.

use super::CliError;
use crate::engine::{ListedText, TextFormat, TextList};
use crate::types::UserError;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Texts that are read, given to the engine and written together.
const PORTION: usize = 512;
/// Bytes of text after which a portion has fewer.
const PORTION_BYTES: usize = 1 << 20;
/// How often somebody who waits for texts looks for Ctrl-C.
const LOOK_UP: Duration = Duration::from_millis(100);
/// What standard input is called.
const PIPE: &str = "standard input";

/// Where texts are read from.
#[derive(Debug, Args)]
pub struct TextsArgs {
    /// Take the texts of a file of any size, one a line, or a column of a CSV, TSV or JSONL file; - reads standard input. What is done
    /// is written at once; Ctrl-C ends with it
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// How texts stand in the file [default: what its ending says, else lines]
    #[arg(long, value_enum, requires = "data")]
    pub format: Option<FormatName>,
    /// The column or field with the texts: its name, or its number from 1 [default: text, sentence or the like, else the first]
    #[arg(long, value_name = "NAME", requires = "data")]
    pub column: Option<String>,
}

/// `--format` on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FormatName {
    /// A text a line
    Lines,
    /// Cells with commas between them
    Csv,
    /// Cells with tabs between them
    Tsv,
    /// A JSON object a line
    Jsonl,
}

impl FormatName {
    fn format(self) -> TextFormat {
        match self {
            Self::Lines => TextFormat::Lines,
            Self::Csv => TextFormat::Csv,
            Self::Tsv => TextFormat::Tsv,
            Self::Jsonl => TextFormat::JsonLines,
        }
    }
}

impl TextsArgs {
    /// Opens the file, and reads it on a thread of its own: nothing need wait for the disk, and who writes into a pipe may take his
    /// time.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn read(&self) -> Result<Portions, UserError> {
        let (format, column) = (self.format.map(FormatName::format), self.column.as_deref());
        let list = match self.data.as_deref() {
            None => TextList::of_pipe(std::io::empty(), PIPE, format, column),
            Some(data) if is_pipe(data) => TextList::of_pipe(std::io::stdin(), PIPE, format, column),
            Some(data) => TextList::open(data, format, column),
        };
        let mut list = list.map_err(UserError::from)?;
        let (give, portions) = sync_channel(1);
        let work = move || {
            loop {
                let texts = list.next(PORTION, PORTION_BYTES).map_err(UserError::from);
                let is_last = texts.as_ref().map_or(true, Vec::is_empty);
                let portion = texts.map(|texts| Portion { texts, taken: list.taken() });
                if give.send(portion).is_err() || is_last {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("fovea-texts".to_owned()).spawn(work).map_err(|error| {
            UserError::new("The texts could not be read.", error.to_string(), "Close other programs and run it again.")
        })?;
        Ok(Portions(portions))
    }
}

/// Texts, and how many bytes of the file were taken for them.
pub(super) struct Portion {
    pub texts: Vec<ListedText>,
    pub taken: u64,
}

/// The texts of a file, some at a time.
pub(super) struct Portions(Receiver<Result<Portion, UserError>>);

impl Portions {
    /// The next; none when the file is over.
    ///
    /// # Errors
    /// When the file cannot be read, or somebody interrupts.
    pub(super) fn next(&self, interrupted: &AtomicBool) -> Result<Option<Portion>, CliError> {
        loop {
            if interrupted.load(Ordering::Relaxed) {
                return Err(CliError::Interrupted);
            }
            match self.0.recv_timeout(LOOK_UP) {
                Ok(portion) => return Ok(Some(portion?).filter(|portion| !portion.texts.is_empty())),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }
}

fn is_pipe(data: &Path) -> bool {
    data == Path::new("-")
}

/// What is said of a file whose texts are all blank.
pub(super) fn no_text(data: &Path) -> UserError {
    let name = if is_pipe(data) { PIPE.to_owned() } else { data.display().to_string() };
    UserError::new(
        format!("There is no text in {name}."),
        "Every line of it, or of the column that was read, is blank.",
        "Choose another file, or another column with --column.",
    )
}

/// How far a file is read: a bar, hidden where standard error is no terminal. How far a pipe goes is not known.
pub(super) fn progress_over(data: &Path) -> ProgressBar {
    let bytes = std::fs::metadata(data).ok().filter(|_| !is_pipe(data)).map(|file| file.len());
    let template = if bytes.is_some() { "{bar:32} {percent} %  {msg}  {eta}" } else { "{spinner} {msg}" };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar.with_style(style.progress_chars("━╸ "))
}
