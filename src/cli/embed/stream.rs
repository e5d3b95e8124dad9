//! `fovea embed --data`: texts of a file of any size, a portion at a time. What is done is written before the next portion begins.

use super::vectors::{Vector, VectorFile, VectorFormat};
use super::{EmbedArgs, rows, tell_cut, tell_pooling};
use crate::cli::CliError;
use crate::cli::output::{json_line, print, tell};
use crate::cli::session::{Session, unexpected};
use crate::cli::texts::{Portion, Portions, no_text, progress_over};
use crate::cli::train::catch_ctrl_c;
use crate::engine::{Command, Event, ListedText, Outcome, Work};
use crate::types::{Embedding, EncoderInfo, JobId, ModelInfo, UserError};
use indicatif::ProgressBar;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Turns the texts of a file into vectors, and writes each portion when it is done. Ctrl-C and errors leave what was done whole.
pub(super) fn run(args: &EmbedArgs, data: &Path) -> Result<(), CliError> {
    let format = args.out.as_deref().map(VectorFormat::from_path).transpose()?;
    let interrupted = catch_ctrl_c("Nothing was embedded.")?;
    let portions = args.texts.read()?;
    let (session, info) = Session::with_model(&args.model)?;
    let Some(facts) = info.shape.encoder() else { return Err(wrong_kind(&session, &info)) };
    tell_pooling(&info, facts);
    let progress = progress_over(data);
    let mut stream = Stream { session: &session, info: &info, portions, interrupted, progress, done: 0 };
    let ended = match (&args.out, format) {
        (Some(path), Some(format)) => stream.fill_file(path, format, &about(&info, facts)),
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

struct Stream<'a> {
    session: &'a Session,
    info: &'a ModelInfo,
    portions: Portions,
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
    fn fill_file(&mut self, path: &Path, format: VectorFormat, about: &[(String, String)]) -> Result<(), CliError> {
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
            let Some(Portion { texts, taken }) = self.portions.next(&self.interrupted)? else { return Ok(()) };
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
