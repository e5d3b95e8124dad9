//! Text to tokens and back, byte for byte.
//!
//! The tokenizers crate splits text; joining tokens again is done here, on bytes. Its own decoder works on whole strings:
//! called token by token it loses the spaces and half characters that stand at the borders.

use super::error::LoadError;
use super::token_bytes::{self, TokenBytes};
use crate::types::PromptToken;
use std::path::Path;
use std::sync::Arc;
use tokenizers::Tokenizer;

/// The file with the tokenizer.
pub(super) const TOKENIZER_FILE: &str = "tokenizer.json";

/// Splits text into tokens and joins them again.
pub struct TextCodec {
    tokenizer: Tokenizer,
    /// `None` for tokenizers whose tokens are not plain stretches of bytes; those are joined by their own decoder.
    bytes: Option<TokenBytes>,
}

impl std::fmt::Debug for TextCodec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextCodec").field("tokens", &self.tokenizer.get_vocab_size(true)).finish_non_exhaustive()
    }
}

impl TextCodec {
    /// Reads a tokenizer.json.
    ///
    /// # Errors
    /// When the file cannot be read or is no tokenizer.
    pub fn from_file(path: &Path) -> Result<Self, LoadError> {
        let text = std::fs::read(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
        let broken = |problem: String| LoadError::Tokenizer { path: path.to_owned(), problem };
        let tokenizer = Tokenizer::from_bytes(&text).map_err(|e| broken(e.to_string()))?;
        Self::new(tokenizer).map_err(|e| broken(e.to_string()))
    }

    /// A codec of a tokenizer made in memory.
    ///
    /// # Errors
    /// When the tokenizer's settings contradict each other.
    pub fn new(mut tokenizer: Tokenizer) -> Result<Self, tokenizers::Error> {
        // Encoders ship with a maximum length and padding; a prompt must arrive whole and nothing be added to it.
        tokenizer.with_truncation(None)?;
        tokenizer.with_padding(None);
        let bytes = token_bytes::of(&tokenizer);
        Ok(Self { tokenizer, bytes })
    }

    /// One token a byte, the id being the byte.
    #[must_use]
    pub fn bytes() -> Self {
        Self::new(token_bytes::byte_tokenizer()).expect("a tokenizer without truncation has nothing to contradict")
    }

    /// Writes a tokenizer.json.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn to_file(&self, path: &Path) -> Result<(), LoadError> {
        let write_error = |source| LoadError::Write { path: path.to_owned(), source };
        let text = self.tokenizer.to_string(true).map_err(|e| write_error(std::io::Error::other(e)))?;
        std::fs::write(path, text).map_err(write_error)
    }

    /// The text of a tokenizer.json.
    ///
    /// # Errors
    /// When the tokenizer cannot be written down.
    pub fn to_json(&self) -> Result<String, LoadError> {
        self.tokenizer.to_string(true).map_err(|e| LoadError::Encode { problem: e.to_string() })
    }

    /// Number of tokens.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// The largest id any token has.
    #[must_use]
    pub fn largest_id(&self) -> Option<u32> {
        self.tokenizer.get_vocab(true).into_values().max()
    }

    /// The id of the token spelled exactly so in the vocabulary.
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// Splits a text, adding special tokens as the tokenizer prescribes. Spans are byte ranges of `text`; spaces that
    /// belong to a token are in its span.
    ///
    /// # Errors
    /// When the tokenizer has no token for a part of the text and none for the unknown.
    pub fn encode(&self, text: &str) -> Result<Vec<PromptToken>, LoadError> {
        let encoding = self.tokenizer.encode(text, true).map_err(|e| LoadError::Encode { problem: e.to_string() })?;
        let mut covered = 0;
        let tokens = encoding.get_ids().iter().zip(encoding.get_offsets()).map(|(&id, &(start, end))| {
            let mut span = start..end;
            if !span.is_empty() {
                // Some tokenizers report a token without the space before it.
                if text.get(covered..start).is_some_and(|gap| gap.chars().all(char::is_whitespace)) {
                    span.start = span.start.min(covered);
                }
                covered = covered.max(end);
            }
            PromptToken { id, text: self.token_text(id), span }
        });
        Ok(tokens.collect())
    }

    /// The ids of a text, special tokens added as the tokenizer prescribes.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, LoadError> {
        let encoding =
            self.tokenizer.encode_fast(text, true).map_err(|e| LoadError::Encode { problem: e.to_string() })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The ids of a text that goes on where another one ended: no special tokens are added.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn continuation_ids(&self, text: &str) -> Result<Vec<u32>, LoadError> {
        let encoding =
            self.tokenizer.encode_fast(text, false).map_err(|e| LoadError::Encode { problem: e.to_string() })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// A token's own text; U+FFFD stands for bytes that are no whole character. Empty for ids no token has.
    #[must_use]
    pub fn token_text(&self, id: u32) -> String {
        match &self.bytes {
            Some(bytes) => String::from_utf8_lossy(bytes.of_token(id)).into_owned(),
            None => self.join(&[id]),
        }
    }

    /// The text of a whole sequence. Tokenizers that put a space before every text have it taken away again.
    #[must_use]
    pub fn decode(&self, ids: &[u32]) -> String {
        let Some(bytes) = &self.bytes else { return self.join(ids) };
        let joined: Vec<u8> = ids.iter().flat_map(|&id| bytes.of_token(id)).copied().collect();
        let text = match joined.as_slice() {
            [b' ', rest @ ..] if bytes.adds_space => rest,
            all => all,
        };
        String::from_utf8_lossy(text).into_owned()
    }

    /// Joins tokens one by one, as the continuation of an earlier text: its first space counts.
    #[must_use]
    pub fn stream(self: &Arc<Self>) -> StreamDecoder {
        StreamDecoder { codec: Arc::clone(self), pending: Vec::new(), ids: Vec::new(), given: 0 }
    }

    /// Joins tokens with the tokenizer's own decoder.
    fn join(&self, ids: &[u32]) -> String {
        let plain = || ids.iter().filter_map(|&id| self.tokenizer.id_to_token(id)).collect();
        self.tokenizer.decode(ids, false).unwrap_or_else(|_| plain())
    }
}

/// Turns tokens into text as they come. Bytes that do not make a whole character yet wait for the next token, so joining
/// what [`Self::push`] and [`Self::finish`] return gives the exact text.
#[derive(Debug)]
pub struct StreamDecoder {
    codec: Arc<TextCodec>,
    pending: Vec<u8>,
    /// For tokenizers with a decoder of their own: all ids, and the bytes of their text already given.
    ids: Vec<u32>,
    given: usize,
}

impl StreamDecoder {
    /// The text this token adds; may be empty.
    pub fn push(&mut self, id: u32) -> String {
        match &self.codec.bytes {
            Some(bytes) => self.pending.extend_from_slice(bytes.of_token(id)),
            None => {
                self.ids.push(id);
                let text = self.codec.join(&self.ids);
                // Such a decoder may rewrite the end of its text; only what is new behind it can be given.
                let whole = text.trim_end_matches('\u{FFFD}');
                let new = whole.get(self.given..).unwrap_or_default().to_owned();
                self.given += new.len();
                return new;
            }
        }
        take_whole_characters(&mut self.pending)
    }

    /// What is still held back once no token follows: U+FFFD for a character that was never completed.
    pub fn finish(&mut self) -> String {
        let rest = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        rest
    }
}

/// Removes all but an incomplete last character from `bytes`; bytes that can be no character become U+FFFD.
fn take_whole_characters(bytes: &mut Vec<u8>) -> String {
    let mut text = String::new();
    let mut rest = bytes.as_slice();
    loop {
        match std::str::from_utf8(rest) {
            Ok(whole) => {
                text.push_str(whole);
                rest = &[];
                break;
            }
            Err(error) => {
                let (whole, broken) = rest.split_at(error.valid_up_to());
                text.push_str(&String::from_utf8_lossy(whole));
                rest = broken;
                let Some(length) = error.error_len() else { break };
                text.push(char::REPLACEMENT_CHARACTER);
                rest = &rest[length..];
            }
        }
    }
    let kept = rest.len();
    bytes.drain(..bytes.len() - kept);
    text
}
