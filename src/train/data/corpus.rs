//! Text files to tokens, a stretch at a time, so that reading a library does not hold up a chat.

use crate::load::data::text_data;
use crate::load::tokens::byte_bpe::DOCUMENT_SEPARATOR;
use crate::load::{DataError, TextModel, Tokenizer};
use crate::types::UserError;
use std::collections::VecDeque;
use std::path::PathBuf;

/// Bytes of text encoded in one step.
const STRETCH: usize = 32 * 1024;

/// The tokens of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileTokens {
    /// Token ids: documents with the special tokens the tokenizer puts before and the model ends them with.
    pub ids: Vec<u32>,
    /// Bytes of text, separators and the white space around them left out.
    pub bytes: usize,
}

/// A piece of a document that waits to be encoded.
struct Piece {
    text: String,
    begins_document: bool,
    ends_document: bool,
}

/// Encodes files one after the other.
pub(crate) struct CorpusReader {
    waiting: VecDeque<PathBuf>,
    pieces: VecDeque<Piece>,
    /// Texts that separate documents.
    separators: Vec<String>,
    /// Put after every document, unless the tokenizer puts the same before every one.
    end: Option<u32>,
    files: Vec<FileTokens>,
    done_bytes: u64,
    total_bytes: u64,
    /// Bytes read of each file at most.
    limit: usize,
}

impl CorpusReader {
    /// To read `files` for a model with this tokenizer and these end tokens.
    pub(crate) fn new(files: Vec<PathBuf>, tokenizer: &Tokenizer, eos: &[u32]) -> Result<Self, UserError> {
        let before = tokenizer.ids("")?;
        let total_bytes = files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|m| m.len()).sum();
        Ok(Self {
            waiting: files.into(),
            pieces: VecDeque::new(),
            separators: separators(tokenizer, eos),
            end: eos.first().copied().filter(|end| !before.contains(end)),
            files: Vec::new(),
            done_bytes: 0,
            total_bytes,
            limit: usize::MAX,
        })
    }

    /// For an open model.
    pub(crate) fn of_model(files: Vec<PathBuf>, model: &TextModel) -> Result<Self, UserError> {
        Self::new(files, &model.tokenizer, &model.eos)
    }

    /// The same, reading no more than so many bytes of each file.
    pub(crate) fn at_most(mut self, bytes: usize) -> Self {
        let sizes = self.waiting.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|m| m.len());
        self.total_bytes = sizes.map(|size| size.min(bytes as u64)).sum();
        self.limit = bytes;
        self
    }

    /// Bytes encoded and in total.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.done_bytes.min(self.total_bytes), self.total_bytes)
    }

    /// Reads a file or encodes a stretch; true when nothing is left.
    pub(crate) fn step(&mut self, tokenizer: &Tokenizer) -> Result<bool, UserError> {
        if self.pieces.is_empty() {
            let Some(path) = self.waiting.pop_front() else { return Ok(true) };
            self.read(text_data::beginning(&text_data::read_text(&path)?, self.limit));
            return Ok(false);
        }
        let mut encoded = 0;
        while encoded < STRETCH
            && let Some(piece) = self.pieces.pop_front()
        {
            encoded += piece.text.len();
            self.encode(&piece, tokenizer)?;
        }
        self.done_bytes += encoded as u64;
        Ok(false)
    }

    fn read(&mut self, text: &str) {
        let separators: Vec<&str> = self.separators.iter().map(String::as_str).collect();
        for document in text_data::documents(text, &separators) {
            let pieces = text_data::pieces(document, STRETCH);
            let last = pieces.len() - 1;
            self.pieces.extend(pieces.into_iter().enumerate().map(|(i, piece)| Piece {
                text: piece.to_owned(),
                begins_document: i == 0,
                ends_document: i == last,
            }));
        }
        self.files.push(FileTokens::default());
    }

    fn encode(&mut self, piece: &Piece, tokenizer: &Tokenizer) -> Result<(), UserError> {
        let Some(file) = self.files.last_mut() else { return Ok(()) };
        let ids =
            if piece.begins_document { tokenizer.ids(&piece.text) } else { tokenizer.continuation_ids(&piece.text) };
        file.ids.extend(ids?);
        file.bytes += piece.text.len();
        if piece.ends_document {
            file.ids.extend(self.end);
        }
        Ok(())
    }

    /// The tokens of every file.
    ///
    /// # Errors
    /// When there is not a single token.
    pub(crate) fn into_files(self) -> Result<Vec<FileTokens>, UserError> {
        if self.files.iter().all(|file| file.ids.is_empty()) {
            let why = "The text holds nothing but separators.".to_owned();
            return Err(DataError::Empty { path: PathBuf::from("the text"), why }.into());
        }
        Ok(self.files)
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

    #[test]
    fn documents_are_parted_by_the_separator_and_long_ones_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        let long = "a line of text that goes on\n".repeat(4000);
        let path = dir.path().join("a.txt");
        std::fs::write(&path, format!("One story.\n<|endoftext|>\n{long}<|endoftext|>\r\n")).unwrap();
        let tokenizer = learn_byte_bpe([long.as_str()].into_iter(), 300).unwrap();
        let mut reader = CorpusReader::new(vec![path], &tokenizer, &[0]).unwrap();
        let mut steps = 0;
        while !reader.step(&tokenizer).unwrap() {
            steps += 1;
        }
        assert!(steps > 3, "a long document takes several steps");
        let files = reader.into_files().unwrap();
        let starts: Vec<_> = files[0].ids.iter().enumerate().filter(|(_, id)| **id == 0).map(|(i, _)| i).collect();
        assert_eq!(starts.len(), 2, "one separator a document");
        assert_eq!(tokenizer.decode(&files[0].ids[1..starts[1]]), "One story.");
        assert_eq!(tokenizer.decode(&files[0].ids[starts[1] + 1..]), long.trim());
        assert_eq!(files[0].bytes, "One story.".len() + long.trim().len());
    }
}
