//! `fovea embed --data`: texts of a file of any size, a portion at a time. What is done is written before the next portion begins.

use super::vectors::{Vector, VectorFile, VectorFormat};
use super::{EmbedArgs, FormatName, rows, tell_cut, tell_pooling};
use crate::cli::CliError;
use crate::cli::output::{json_line, print, tell};
use crate::cli::session::{Session, unexpected};
use crate::cli::train::catch_ctrl_c;
use crate::engine::{Command, Event, ListedText, Outcome, TextList, Work};
use crate::types::{Embedding, EncoderInfo, JobId, ModelInfo, UserError};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Texts that are read, turned into vectors and written together.
const PORTION: usize = 512;
/// Bytes of text after which a portion has fewer.
const PORTION_BYTES: usize = 1 << 20;
/// How often somebody who waits for texts looks for Ctrl-C.
const LOOK_UP: Duration = Duration::from_millis(100);
/// What standard input is called.
const PIPE: &str = "standard input";

/// Turns the texts of a file into vectors, and writes each portion when it is done. Ctrl-C and errors leave what was done whole.
pub(super) fn run(args: &EmbedArgs, data: &Path) -> Result<(), CliError> {
    let format = args.out.as_deref().map(VectorFormat::from_path).transpose()?;
    let interrupted = catch_ctrl_c("Nothing was embedded.")?;
    let list = open(args, data)?;
    let (session, info) = Session::with_model(&args.model)?;
    let Some(facts) = info.shape.encoder() else { return Err(wrong_kind(&session, &info)) };
    tell_pooling(&info, facts);
    let progress = bar(data);
    let mut stream = Stream { session: &session, info: &info, portions: read(list)?, interrupted, progress, done: 0 };
    let ended = match (&args.out, format) {
        (Some(path), Some(format)) => stream.into_file(path, format, &about(&info, facts)),
        _ if args.json => stream.each(&mut |vectors| {
            let lines: Result<String, UserError> = vectors.iter().map(json_line).collect();
            print(&lines?)
        }),
        _ => stream.each(&mut |vectors| print(&rows(vectors))),
    };
    stream.progress.finish_and_clear();
    let done = stream.done;
    match &ended {
        Err(CliError::User(_) | CliError::Interrupted) if done > 0 => {
            let place = args.out.as_ref().map_or(String::new(), |path| format!(" in {}", path.display()));
            tell(format_args!("note: {done} texts were embedded before that, and are{place} whole"));
        }
        Ok(()) if done == 0 => return Err(no_text(data).into()),
        Ok(()) => {
            if let Some(path) = &args.out {
                tell(format_args!("wrote {done} vectors to {}", path.display()));
            }
        }
        Err(_) => {}
    }
    ended
}

fn open(args: &EmbedArgs, data: &Path) -> Result<TextList, UserError> {
    let (format, column) = (args.format.map(FormatName::format), args.column.as_deref());
    let list = match is_pipe(data) {
        true => TextList::of_pipe(std::io::stdin(), PIPE, format, column),
        false => TextList::open(data, format, column),
    };
    list.map_err(UserError::from)
}

/// Texts, and how many bytes of the file were taken for them.
struct Portion {
    texts: Vec<ListedText>,
    taken: u64,
}

/// Reads on a thread of its own: nothing need wait for the disk, and who writes into a pipe may take his time.
fn read(mut list: TextList) -> Result<Receiver<Result<Portion, UserError>>, UserError> {
    let (give, portions) = std::sync::mpsc::sync_channel(1);
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
    Ok(portions)
}

fn is_pipe(data: &Path) -> bool {
    data == Path::new("-")
}

/// What the engine says of a model that embeds nothing.
fn wrong_kind(session: &Session, info: &ModelInfo) -> CliError {
    let job = JobId::next();
    let command = Command::start(job, info.id, Work::Embed(vec![String::new()]));
    session.run(job, command, |_| Ok(())).err().unwrap_or_else(unexpected)
}

fn about(info: &ModelInfo, facts: &EncoderInfo) -> Vec<(String, String)> {
    let pair = |name: &str, value: String| (name.to_owned(), value);
    vec![
        pair("model", info.name.clone()),
        pair("pooling", facts.pooling.to_string()),
        pair("normalised", facts.normalised.to_string()),
    ]
}

fn no_text(data: &Path) -> UserError {
    let name = if is_pipe(data) { PIPE.to_owned() } else { data.display().to_string() };
    UserError::new(
        format!("There is no text in {name}."),
        "Every line of it, or of the column that was read, is blank.",
        "Choose another file, or another column with --column.",
    )
}

/// Hidden where standard error is no terminal. How far a pipe goes is not known.
fn bar(data: &Path) -> ProgressBar {
    let bytes = std::fs::metadata(data).ok().filter(|_| !is_pipe(data)).map(|file| file.len());
    let template = if bytes.is_some() { "{bar:32} {percent} %  {msg}  {eta}" } else { "{spinner} {msg}" };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar.with_style(style.progress_chars("━╸ "))
}

struct Stream<'a> {
    session: &'a Session,
    info: &'a ModelInfo,
    portions: Receiver<Result<Portion, UserError>>,
    interrupted: Arc<AtomicBool>,
    progress: ProgressBar,
    /// Texts whose vectors were written.
    done: usize,
}

/// Why a file was not written.
enum Unwritten {
    Broken(std::io::Error),
    Nothing,
}

impl From<std::io::Error> for Unwritten {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error)
    }
}

type Write<'a> = dyn FnMut(&[Vector<'_>]) -> Result<(), CliError> + 'a;

impl Stream<'_> {
    /// Into a file that is written aside and takes its place at the end, however the end comes. Without a vector an old file stays.
    fn into_file(&mut self, path: &Path, format: VectorFormat, about: &[(String, String)]) -> Result<(), CliError> {
        let mut ended = Ok(());
        let written = crate::disk::write_with(path, |aside| {
            let (mut file, mut broken) = (None::<VectorFile>, None);
            ended = self.each(&mut |vectors| {
                let mut add = |vector: &Vector<'_>| match &mut file {
                    Some(file) => file.add(vector),
                    none => {
                        let new = VectorFile::create(aside, format, vector.values.len(), about.to_vec())?;
                        none.insert(new).add(vector)
                    }
                };
                vectors.iter().try_for_each(&mut add).map_err(|error| {
                    broken = Some(error);
                    CliError::Interrupted
                })
            });
            match (broken, file) {
                (Some(error), _) => Err(Unwritten::Broken(error)),
                (None, Some(file)) => Ok(file.finish()?),
                (None, None) => Err(Unwritten::Nothing),
            }
        });
        match written {
            Err(Unwritten::Broken(error)) => {
                self.done = 0;
                Err(CliError::User(UserError::new(
                    format!("{} could not be written.", path.display()),
                    error.to_string(),
                    "Choose a folder that exists, has room, and that you may write to.",
                )))
            }
            Err(Unwritten::Nothing) | Ok(()) => ended,
        }
    }

    /// Every portion, its vectors in the order of their texts.
    fn each(&mut self, write: &mut Write<'_>) -> Result<(), CliError> {
        loop {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(CliError::Interrupted);
            }
            let Portion { texts, taken } = match self.portions.recv_timeout(LOOK_UP) {
                Ok(portion) => portion?,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            if texts.is_empty() {
                return Ok(());
            }
            let embeddings = self.embed(&texts)?;
            let of_texts = texts.iter().zip(&embeddings);
            let vectors: Vec<Vector<'_>> = of_texts.map(|(text, embedding)| vector(text, embedding)).collect();
            // A terminal shows either the bar or what is printed.
            self.progress.suspend(|| {
                tell_cut(&vectors);
                write(&vectors)
            })?;
            self.done += vectors.len();
            self.progress.set_position(taken);
        }
    }

    fn embed(&self, texts: &[ListedText]) -> Result<Vec<Embedding>, CliError> {
        let job = JobId::next();
        let given = texts.iter().map(|text| text.text.clone()).collect();
        self.session.send(Command::start(job, self.info.id, Work::Embed(given)))?;
        let mut cancelled = false;
        loop {
            let outcome = self.session.next(job, &mut |event| {
                if let Event::Progress { done, .. } = event {
                    self.progress.set_message(format!("{} texts", self.done as u64 + done));
                }
                Ok(())
            })?;
            match outcome {
                Some(Outcome::Embedded(report)) => return Ok(report.embeddings.clone()),
                Some(Outcome::Cancelled) => return Err(CliError::Interrupted),
                Some(_) => return Err(unexpected()),
                None if !cancelled && self.interrupted.load(Ordering::Relaxed) => {
                    cancelled = true;
                    self.session.send(Command::Cancel { job })?;
                }
                None => {}
            }
        }
    }
}

fn vector<'a>(text: &'a ListedText, embedding: &'a Embedding) -> Vector<'a> {
    Vector {
        line: text.line,
        text: &text.text,
        tokens: embedding.tokens,
        left_out: embedding.left_out,
        values: &embedding.vector,
    }
}
