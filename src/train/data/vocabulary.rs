//! A vocabulary learned from texts of any size, on a thread of its own: it takes as long as it takes, and whoever waits looks now
//! and then. Dropping it ends the reading; what is then left to do is thrown away.

use crate::load::data::documents::{Documents, Part, cut};
use crate::load::data::text_stream::TextStream;
use crate::load::tokens::byte_bpe::DOCUMENT_SEPARATOR;
use crate::load::{DataError, LoadError, Tokenizer};
use crate::types::UserError;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Documents longer than this are given in pieces, in bytes: a whole library at once would take ten times its size.
const PIECE: usize = 256 << 10;

/// A file, and how many bytes of its text are read at most.
pub(crate) type LimitedFile = (PathBuf, Option<usize>);

/// What the reading thread tells and is told.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    taken: AtomicU64,
    problem: Mutex<Option<DataError>>,
}

/// A vocabulary on its way.
pub(crate) struct LearningVocabulary {
    /// Locked by whoever waits, so that a run can be lent to other threads meanwhile.
    result: Mutex<Receiver<Result<Tokenizer, UserError>>>,
    shared: Arc<Shared>,
    total: u64,
}

impl LearningVocabulary {
    /// Begins to read the files; `learn` is given their documents.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(
        files: Vec<LimitedFile>,
        learn: impl FnOnce(&mut Texts) -> Result<Tokenizer, LoadError> + Send + 'static,
    ) -> Result<Self, UserError> {
        let size = |(path, limit): &LimitedFile| {
            let size = std::fs::metadata(path).ok()?.len();
            Some(limit.map_or(size, |most| size.min(most as u64)))
        };
        let total = files.iter().filter_map(size).sum();
        let shared = Arc::new(Shared::default());
        let (sender, result) = sync_channel(1);
        let own = Arc::clone(&shared);
        let work = move || {
            let mut texts = Texts::new(files, Arc::clone(&own));
            let learned = learn(&mut texts);
            let problem = own.problem.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Nobody may be there any more.
            drop(sender.send(problem.map_or_else(|| learned.map_err(UserError::from), |problem| Err(problem.into()))));
        };
        let thread = std::thread::Builder::new().name("fovea-vocabulary".to_owned());
        match thread.spawn(work) {
            Ok(_) => Ok(Self { result: Mutex::new(result), shared, total }),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// What was learned; nothing while it is not over. Waits for `patience` at most.
    pub(crate) fn wait(&self, patience: Duration) -> Option<Result<Tokenizer, UserError>> {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        match result.recv_timeout(patience) {
            Ok(result) => Some(result),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(failed("the thread that learned it failed".to_owned()))),
        }
    }

    /// Bytes of the files that were read, and in total.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.shared.taken.load(Ordering::Relaxed).min(self.total), self.total)
    }
}

impl Drop for LearningVocabulary {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

fn failed(why: String) -> UserError {
    UserError::new("No vocabulary could be learned.", why, "Start the run again.")
}

/// The documents of files, those longer than [`PIECE`] in pieces that no word stretches over. It ends at the first file that
/// cannot be read, and when nobody waits any more.
pub(crate) struct Texts {
    waiting: VecDeque<LimitedFile>,
    stream: Option<TextStream>,
    documents: Documents,
    open: String,
    /// Bytes of the files before this one.
    before: u64,
    shared: Arc<Shared>,
}

impl Texts {
    fn new(files: Vec<LimitedFile>, shared: Arc<Shared>) -> Self {
        let documents = Documents::new(&[DOCUMENT_SEPARATOR.to_owned()]);
        Self { waiting: files.into(), stream: None, documents, open: String::new(), before: 0, shared }
    }

    fn read_on(&mut self) -> Result<bool, DataError> {
        let Some(stream) = &mut self.stream else {
            let Some((path, limit)) = self.waiting.pop_front() else { return Ok(false) };
            self.stream = Some(TextStream::open(&path)?.at_most(limit));
            return Ok(true);
        };
        let goes_on = stream.read_into(self.documents.stretch())?;
        let taken = self.before + stream.taken();
        self.shared.taken.store(taken, Ordering::Relaxed);
        if goes_on {
            self.documents.take_in();
        } else {
            self.documents.finish();
            self.before = taken;
            self.stream = None;
        }
        Ok(true)
    }

    fn piece(&mut self) -> Option<String> {
        if self.open.len() < 2 * PIECE {
            return None;
        }
        let at = cut(&self.open, PIECE).unwrap_or_else(|| self.open.floor_char_boundary(PIECE));
        let rest = self.open.split_off(at);
        Some(std::mem::replace(&mut self.open, rest))
    }
}

impl Iterator for Texts {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        loop {
            if self.shared.stop.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(piece) = self.piece() {
                return Some(piece);
            }
            match self.documents.next_part() {
                Some(Part::Text(text)) => self.open.push_str(&text),
                Some(Part::End) => return Some(std::mem::take(&mut self.open)),
                None => match self.read_on() {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(problem) => {
                        *self.shared.problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
                        return None;
                    }
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tokens::byte_bpe::learn_byte_bpe;

    fn until_done(learning: &LearningVocabulary) -> Result<Tokenizer, UserError> {
        loop {
            if let Some(result) = learning.wait(Duration::from_millis(20)) {
                return result;
            }
        }
    }

    #[test]
    fn a_text_in_pieces_teaches_what_it_teaches_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let text: String = (0..90_000).map(|i| ["the cat ", "sat on\n", "\n\n", "  it,"][i * i % 7 % 4]).collect();
        assert!(text.len() > 2 * PIECE);
        std::fs::write(&path, format!("{text}<|endoftext|>\nOne more.")).unwrap();
        let start = |files| LearningVocabulary::start(files, |texts| learn_byte_bpe(texts, 300)).unwrap();
        let learning = start(vec![(path.clone(), None)]);
        let learned = until_done(&learning).unwrap().to_json().unwrap();
        assert_eq!(learning.progress(), (text.len() as u64 + 23, text.len() as u64 + 23));
        let whole = learn_byte_bpe([text.trim(), "One more."].into_iter(), 300).unwrap();
        assert_eq!(learned, whole.to_json().unwrap());

        let gone = start(vec![(path, None), (dir.path().join("gone.txt"), None)]);
        assert!(until_done(&gone).unwrap_err().what.contains("gone.txt"));
    }

    #[test]
    fn nobody_waits_for_the_rest_of_a_text() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        std::fs::write(&path, "a line\n".repeat(50_000)).unwrap();
        let (sender, given) = sync_channel(0);
        let learning = LearningVocabulary::start(vec![(path, None)], move |texts| {
            sender.send(texts.next().is_some()).unwrap();
            sender.send(true).unwrap();
            sender.send(texts.next().is_some()).unwrap();
            Ok(Tokenizer::bytes())
        });
        assert!(given.recv().unwrap(), "it begins");
        drop(learning);
        assert!(given.recv().unwrap());
        assert!(!given.recv().unwrap(), "and reads no more once it is dropped");
    }
}
