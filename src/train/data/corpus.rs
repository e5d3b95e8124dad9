//! Text files to tokens, some stretches at a time, so that reading a library does not hold up a chat and can be stopped.

use super::stretch::{Encoded, End, OpenDocument, STRETCH, Stretch, ids_alone};
use super::token_ids::{TokenIds, TokenParts};
use crate::load::data::documents::{Documents, Part};
use crate::load::data::text_stream::TextStream;
use crate::load::tokens::byte_bpe::DOCUMENT_SEPARATOR;
use crate::load::{DataError, LoadError, TextModel, Tokenizer};
use crate::types::UserError;
use rayon::prelude::*;
use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Stretches of a step for each thread: the shorter the step, the sooner it can be stopped; with one a thread would often wait.
const STRETCHES: usize = 3;

/// The tokens of some files.
#[derive(Debug)]
pub(crate) struct Corpus {
    ids: Arc<TokenIds>,
    /// In the order they were named.
    pub files: Vec<FileTokens>,
}

/// The tokens of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileTokens {
    /// Which of all: documents with the special tokens the tokenizer puts before and the model ends them with.
    pub tokens: Range<usize>,
    /// Bytes of text, separators and the white space around them left out.
    pub bytes: usize,
}

impl FileTokens {
    /// Where what is learned from ends, for a share that is held out.
    fn kept(&self, held_out: f64) -> usize {
        self.tokens.end - (self.tokens.len() as f64 * held_out).round() as usize
    }
}

impl Corpus {
    /// Parts of the tokens, read as one.
    pub(crate) fn parts(&self, parts: impl IntoIterator<Item = Range<usize>>) -> TokenParts {
        TokenParts::new(&self.ids, parts)
    }

    /// What is learned from and what is held out: the end of every file, so that both are of the same kind. Of what is not held out a
    /// share, from the beginning of every file, is learned from; the rest is left out.
    pub(crate) fn split(&self, held_out: f64, learn_from: f64) -> (TokenParts, TokenParts) {
        let learned = self.files.iter().map(|file| {
            let begin = file.tokens.start;
            begin..begin + ((file.kept(held_out) - begin) as f64 * learn_from).round() as usize
        });
        (self.parts(learned), self.held_out_of(0..self.files.len(), held_out))
    }

    /// What is held out of some of the files.
    pub(crate) fn held_out_of(&self, files: Range<usize>, held_out: f64) -> TokenParts {
        self.parts(self.files[files].iter().map(|file| file.kept(held_out)..file.tokens.end))
    }
}

/// Encodes files one after the other.
pub(crate) struct CorpusReader {
    waiting: VecDeque<PathBuf>,
    /// Bytes read of each file at most.
    limit: Option<usize>,
    /// The file that is being read, until its end was met.
    stream: Option<TextStream>,
    documents: Documents,
    document: OpenDocument,
    /// The last stretch of a document that goes on.
    encoded: Option<Encoded>,
    /// What the tokenizer adds behind a document.
    behind: Vec<u32>,
    /// Put after every document, unless the tokenizer puts the same before every one.
    end: Option<u32>,
    ids: TokenIds,
    files: Vec<FileTokens>,
    done_bytes: u64,
    total_bytes: u64,
}

impl CorpusReader {
    /// To read `files` for a model with this tokenizer and these end tokens.
    pub(crate) fn new(files: Vec<PathBuf>, tokenizer: &Tokenizer, eos: &[u32]) -> Result<Self, UserError> {
        let before = tokenizer.ids("")?;
        let total_bytes = files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|m| m.len()).sum();
        Ok(Self {
            waiting: files.into(),
            limit: None,
            stream: None,
            documents: Documents::new(&separators(tokenizer, eos)),
            document: OpenDocument::default(),
            encoded: None,
            behind: tokenizer.added_behind()?,
            end: eos.first().copied().filter(|end| !before.contains(end)),
            ids: TokenIds::default(),
            files: Vec::new(),
            done_bytes: 0,
            total_bytes,
        })
    }

    /// For an open model.
    pub(crate) fn of_model(files: Vec<PathBuf>, model: &TextModel) -> Result<Self, UserError> {
        Self::new(files, &model.tokenizer, &model.eos)
    }

    /// The same, reading no more than so many bytes of each file.
    pub(crate) fn at_most(mut self, bytes: Option<usize>) -> Self {
        let sizes = self.waiting.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|m| m.len());
        self.total_bytes = sizes.map(|size| bytes.map_or(size, |most| size.min(most as u64))).sum();
        self.limit = bytes;
        self
    }

    /// Bytes of the files that were read, and in total.
    pub(crate) fn progress(&self) -> (u64, u64) {
        let of_this = self.stream.as_ref().map_or(0, TextStream::taken);
        ((self.done_bytes + of_this).min(self.total_bytes), self.total_bytes)
    }

    /// Opens a file or encodes some stretches; true when nothing is left.
    ///
    /// # Errors
    /// When a file cannot be read, or the tokenizer has no token for a part of it.
    pub(crate) fn step(&mut self, tokenizer: &Tokenizer) -> Result<bool, UserError> {
        let stretches = self.stretches(tokenizer)?;
        if stretches.is_empty() && self.stream.is_none() {
            let Some(path) = self.waiting.pop_front() else { return Ok(true) };
            self.stream = Some(TextStream::open(&path)?.at_most(self.limit));
            let start = self.ids.len();
            self.files.push(FileTokens { tokens: start..start, bytes: 0 });
            return Ok(false);
        }
        let split: Result<Vec<Split>, LoadError> =
            stretches.into_par_iter().map(|stretch| Split::new(stretch, tokenizer)).collect();
        for part in split? {
            self.take(part, tokenizer)?;
        }
        if let Some(file) = self.files.last_mut() {
            file.tokens.end = self.ids.len();
        }
        Ok(false)
    }

    /// The next stretches of the file that is being read.
    fn stretches(&mut self, tokenizer: &Tokenizer) -> Result<Vec<Stretch>, UserError> {
        let (mut stretches, mut bytes) = (Vec::new(), 0);
        while bytes < STRETCHES * STRETCH * rayon::current_num_threads() {
            let before = stretches.len();
            match self.documents.next_part() {
                Some(Part::Text(text)) => {
                    if let Some(file) = self.files.last_mut() {
                        file.bytes += text.len();
                    }
                    self.document.push(&text);
                    while let Some(stretch) = self.document.next(tokenizer)? {
                        stretches.push(stretch);
                    }
                }
                Some(Part::End) => stretches.push(self.document.finish()),
                None => {
                    let Some(stream) = &mut self.stream else { break };
                    if stream.read_into(self.documents.stretch())? {
                        self.documents.take_in();
                    } else {
                        self.documents.finish();
                        self.done_bytes += stream.taken();
                        self.stream = None;
                    }
                }
            }
            bytes += stretches[before..].iter().map(|stretch| stretch.text.len()).sum::<usize>();
        }
        Ok(stretches)
    }

    /// Takes in the next stretch or document.
    fn take(&mut self, part: Split, tokenizer: &Tokenizer) -> Result<(), LoadError> {
        let end = match part {
            Split::Alone(ids, end) => {
                self.push(ids);
                end
            }
            Split::Sharing(next) => {
                let encoded = match self.encoded.take() {
                    Some(mut encoded) => {
                        let sure = encoded.go_on(next, tokenizer)?;
                        self.push(sure);
                        encoded
                    }
                    None => next,
                };
                let end = encoded.end();
                if end == End::Shared {
                    self.encoded = Some(encoded);
                } else {
                    self.push(encoded.ids());
                }
                end
            }
        };
        if end == End::Document {
            let behind = self.behind.clone();
            self.push(behind);
            self.push(self.end);
        }
        Ok(())
    }

    fn push(&mut self, ids: impl IntoIterator<Item = u32>) {
        ids.into_iter().for_each(|id| self.ids.push(id));
    }

    /// The tokens of all files.
    ///
    /// # Errors
    /// When there is not a single token.
    pub(crate) fn finish(self) -> Result<Corpus, UserError> {
        if self.ids.len() == 0 {
            let why = "The text holds nothing but separators.".to_owned();
            return Err(DataError::Empty { path: PathBuf::from("the text"), why }.into());
        }
        Ok(Corpus { ids: Arc::new(self.ids), files: self.files })
    }
}

/// What a thread makes of a stretch.
enum Split {
    /// One that shares nothing with others.
    Alone(Vec<u32>, End),
    Sharing(Encoded),
}

impl Split {
    fn new(stretch: Stretch, tokenizer: &Tokenizer) -> Result<Self, LoadError> {
        if stretch.shared == 0 && stretch.end != End::Shared {
            return Ok(Self::Alone(ids_alone(&stretch, tokenizer)?, stretch.end));
        }
        Encoded::new(stretch, tokenizer).map(Self::Sharing)
    }
}

/// The usual document separator and the model's own end tokens, where they are written out.
pub(crate) fn separators(tokenizer: &Tokenizer, eos: &[u32]) -> Vec<String> {
    let mut separators = vec![DOCUMENT_SEPARATOR.to_owned()];
    for text in eos.iter().map(|&id| tokenizer.token_text(id)).filter(|text| text.len() > 2) {
        if !separators.contains(&text) {
            separators.push(text);
        }
    }
    separators
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tokens::byte_bpe::learn_byte_bpe;

    fn read(files: Vec<PathBuf>, tokenizer: &Tokenizer, end: &[u32]) -> (Corpus, usize) {
        let mut reader = CorpusReader::new(files, tokenizer, end).unwrap();
        let mut steps = 0;
        while !reader.step(tokenizer).unwrap() {
            steps += 1;
            let (done, total) = reader.progress();
            assert!(done <= total);
        }
        let (done, total) = reader.progress();
        assert_eq!(done, total);
        (reader.finish().unwrap(), steps)
    }

    #[test]
    fn documents_are_parted_by_the_separator_and_long_ones_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        let long = "a line of text that goes on\n".repeat(40_000);
        let path = dir.path().join("a.txt");
        std::fs::write(&path, format!("One story.\n<|endoftext|>\n{long}<|endoftext|>\r\n")).unwrap();
        let other = dir.path().join("b.txt");
        std::fs::write(&other, "Two.<|endoftext|>Three.").unwrap();
        let tokenizer = learn_byte_bpe([long.as_str()].into_iter(), 300).unwrap();
        let (corpus, steps) = read(vec![path, other], &tokenizer, &[0]);
        assert!(steps > 3, "a long document takes several steps");
        let ids = |file: usize| {
            let tokens = corpus.files[file].tokens.clone();
            corpus.parts([tokens.clone()]).copy(0..tokens.len())
        };
        let whole = |text: &str| tokenizer.ids(text).unwrap();
        assert_eq!(ids(0), [whole("One story."), whole(long.trim())].concat(), "one separator a document");
        assert_eq!(ids(1), [whole("Two."), whole("Three.")].concat());
        assert_eq!(corpus.files[0].bytes, "One story.".len() + long.trim().len());
        assert_eq!(corpus.files[1].bytes, "Two.Three.".len());
    }

    #[test]
    fn the_end_of_every_file_is_held_out() {
        let dir = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> = ["aaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbb"]
            .iter()
            .map(|text| {
                let path = dir.path().join(text);
                std::fs::write(&path, text).unwrap();
                path
            })
            .collect();
        let (corpus, _) = read(files, &Tokenizer::bytes(), &[]);
        let (learned, held_out) = corpus.split(0.2, 1.0);
        let text = |parts: TokenParts| Tokenizer::bytes().decode(&parts.copy(0..parts.len()));
        assert_eq!((text(learned), text(held_out)), ("a".repeat(8) + &"b".repeat(16), "aabbbb".to_owned()));
        assert_eq!(text(corpus.held_out_of(1..2, 0.2)), "bbbb");
        let (learned, held_out) = corpus.split(0.2, 0.25);
        assert_eq!((text(learned), text(held_out)), ("aabbbb".to_owned(), "aabbbb".to_owned()), "the same is held out");
    }
}
