//! Text to tokens and back, byte for byte.
//!
//! The tokenizers crate splits text; joining tokens again is done here, on bytes. Its own decoder works on whole strings:
//! called token by token it loses the spaces and half characters that stand at the borders.

use crate::load::error::LoadError;
use crate::load::tokens::bpe_file;
use crate::load::tokens::stream::StreamDecoder;
use crate::load::tokens::token_bytes::{self, TokenBytes};
use crate::load::{file, json};
use crate::types::PromptToken;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use tokenizers::models::ModelWrapper;
use tokenizers::{DecoderWrapper, PostProcessorWrapper};

/// The file with the tokenizer.
pub(in crate::load) const TOKENIZER_FILE: &str = "tokenizer.json";

/// Texts to split a continuation behind: one of them is seldom joined with what follows it.
const ANCHORS: [&str; 3] = ["=", ".", "a"];

/// Sixty times the largest vocabularies of today; tables are as long as the largest id.
const LARGEST_ID: u32 = 1 << 24;

/// Bytes before a border that may decide how what follows is split: more than any word.
const BORDER: usize = 32;

/// A token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlacedToken {
    /// Its id.
    pub id: u32,
    /// Where its text begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// True for one that the tokenizer adds and the text does not hold.
    pub is_added: bool,
}

/// Splits text into tokens and joins them again.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// `None` for tokenizers whose tokens are not plain stretches of bytes; those are joined by their own decoder.
    pub(super) bytes: Option<TokenBytes>,
    /// Ids of the tokens that are marked as special.
    special: BTreeSet<u32>,
    /// The largest id of a token that was not added to the vocabulary later.
    largest: Option<u32>,
    /// Ids from here on are none of the model's: a text that would hold one is refused.
    limit: Option<usize>,
    /// Where a model has no tokenizer: its name, and why.
    none: Option<(String, String)>,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("tokens", &self.inner.get_vocab_size(true)).finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Reads a tokenizer.json.
    ///
    /// # Errors
    /// When the file cannot be read or is no tokenizer.
    pub fn from_file(path: &Path) -> Result<Self, LoadError> {
        Self::checked(Self::library(path)?, path)
    }

    /// What the library makes of a tokenizer.json.
    pub(super) fn library(path: &Path) -> Result<tokenizers::Tokenizer, LoadError> {
        let text = file::read(path)?;
        if let Some(read) = unbroken(path, || Ok(bpe_file::read(&text)))? {
            return Ok(read);
        }
        let text = json::strict(&text);
        let value: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(&text);
        value.map_err(|source| LoadError::Json { path: path.to_owned(), source })?;
        unbroken(path, || tokenizers::Tokenizer::from_bytes(&text))
    }

    /// A tokenizer whose parts came from a file.
    pub(in crate::load) fn checked(tokenizer: tokenizers::Tokenizer, path: &Path) -> Result<Self, LoadError> {
        unbroken(path, || Self::new(tokenizer))
    }

    /// A tokenizer made in memory.
    ///
    /// # Errors
    /// When the tokenizer's settings contradict each other.
    pub fn new(mut tokenizer: tokenizers::Tokenizer) -> Result<Self, tokenizers::Error> {
        // Encoders ship with a maximum length and padding; a prompt must arrive whole and nothing be added to it.
        tokenizer.with_truncation(None)?;
        tokenizer.with_padding(None);
        let vocabulary = tokenizer.get_vocab(true);
        if let Some((token, id)) = vocabulary.iter().find(|(_, id)| **id > LARGEST_ID) {
            return Err(format!("the token {token:?} has the id {id}, which is beyond any vocabulary").into());
        }
        let added = tokenizer.get_added_tokens_decoder();
        let largest = vocabulary.values().filter(|id| !added.contains_key(id)).max().copied();
        let bytes = token_bytes::of(&tokenizer, vocabulary);
        let special = added.into_iter().filter(|(_, token)| token.special).map(|(id, _)| id).collect();
        Ok(Self { inner: tokenizer, bytes, special, largest, limit: None, none: None })
    }

    /// The same for a model with so many embeddings.
    #[must_use]
    pub(in crate::load) fn up_to(self, vocabulary: usize) -> Self {
        Self { limit: Some(vocabulary), ..self }
    }

    /// What stands in the place of a tokenizer where a model has none: ids are written as numbers, and every text is
    /// refused with `why`.
    pub(in crate::load) fn none(model: &str, why: String) -> Self {
        let mut none = Self::bytes();
        none.none = Some((model.to_owned(), why));
        none
    }

    /// True where the model has no tokenizer.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.none.is_some()
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
        let text = self.inner.to_string(true).map_err(|e| write_error(std::io::Error::other(e)))?;
        crate::disk::write(path, text.as_bytes()).map_err(write_error)
    }

    /// The text of a tokenizer.json.
    ///
    /// # Errors
    /// When the tokenizer cannot be written down.
    pub fn to_json(&self) -> Result<String, LoadError> {
        self.refuse_none()?;
        self.inner.to_string(true).map_err(|e| LoadError::Encode { problem: e.to_string() })
    }

    /// True when byte-level pieces get a space before a text.
    pub(in crate::load) fn begins_with_space(&self) -> bool {
        let splitter = serde_json::to_string(&self.inner.get_pre_tokenizer()).unwrap_or_default();
        splitter.contains("\"add_prefix_space\":true")
    }

    /// Number of tokens, those that the model has no embedding for left out.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        if self.is_none() {
            return self.limit.unwrap_or_default();
        }
        match self.limit {
            Some(limit) => self.inner.get_vocab(true).into_values().filter(|&id| (id as usize) < limit).count(),
            None => self.inner.get_vocab_size(true),
        }
    }

    /// The largest id of a token that was not added to the vocabulary later.
    #[must_use]
    pub fn largest_id(&self) -> Option<u32> {
        self.largest
    }

    /// True for a token that the tokenizer marks as special: one that stands for no text, such as the end of a turn.
    #[must_use]
    pub fn is_special(&self, id: u32) -> bool {
        self.special.contains(&id)
    }

    /// The same without what it adds before and behind a text.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn without_added(&self) -> Result<Self, LoadError> {
        self.refuse_none()?;
        let mut inner = self.inner.clone();
        inner.with_post_processor(None::<PostProcessorWrapper>);
        let plain = Self::new(inner).map_err(|error| LoadError::Encode { problem: error.to_string() })?;
        Ok(Self { limit: self.limit, ..plain })
    }

    /// True for a token that goes on with the word before it.
    pub(crate) fn goes_on(&self, id: u32) -> bool {
        match self.inner.get_model() {
            ModelWrapper::WordPiece(pieces) => {
                self.inner.id_to_token(id).is_some_and(|token| token.starts_with(&pieces.continuing_subword_prefix))
            }
            _ => self.lossy_token_text(id).starts_with(char::is_alphanumeric),
        }
    }

    /// Every token in the order of the ids: the lines of a vocab.txt.
    pub(in crate::load) fn words(&self) -> Vec<String> {
        let mut words: Vec<(u32, String)> =
            self.inner.get_vocab(true).into_iter().map(|(word, id)| (id, word)).collect();
        words.sort_unstable();
        words.into_iter().map(|(_, word)| word).collect()
    }

    /// The id of the token spelled exactly so in the vocabulary.
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<u32> {
        if self.is_none() {
            return None;
        }
        self.inner.token_to_id(token).filter(|&id| self.has(id))
    }

    /// Splits a text, adding special tokens as the tokenizer prescribes. Spans are byte ranges of `text`; spaces that
    /// belong to a token are in its span.
    ///
    /// # Errors
    /// When the tokenizer has no token for a part of the text and none for the unknown.
    pub fn encode(&self, text: &str) -> Result<Vec<PromptToken>, LoadError> {
        self.split(text, true)
    }

    /// The same without adding special tokens: for a text that holds its own, as a rendered chat does.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_whole(&self, text: &str) -> Result<Vec<PromptToken>, LoadError> {
        self.split(text, false)
    }

    fn split(&self, text: &str, add_special: bool) -> Result<Vec<PromptToken>, LoadError> {
        let encoding = self.encoding(|library| library.encode(text, add_special))?;
        let mut covered = 0;
        let tokens = encoding.get_ids().iter().zip(encoding.get_offsets()).map(|(&id, &(start, end))| {
            let mut span = start..end;
            if !span.is_empty() {
                // Some tokenizers report a token without the space before it.
                if text.get(covered..start).is_some_and(|gap| gap.chars().all(char::is_whitespace)) {
                    span.start = span.start.min(covered);
                }
                // What a tokenizer puts into the text lies on its neighbour.
                if start < covered && covered < end {
                    span.start = covered;
                }
                covered = covered.max(end);
            }
            PromptToken { id, text: self.token_text(id), span }
        });
        Ok(tokens.collect())
    }

    /// As [`Self::ids`], cut off so that no more than `longest` tokens remain, those the tokenizer adds at either end among them.
    /// Also tells how many were left out.
    ///
    /// # Errors
    /// As [`Self::encode`], and when `longest` leaves no room beside the added tokens.
    pub fn ids_at_most(&self, text: &str, longest: usize) -> Result<(Vec<u32>, usize), LoadError> {
        let encoding = self.encoding(|library| library.encode_fast(text, true))?;
        let mut ids = encoding.get_ids().to_vec();
        let Some(left_out) = ids.len().checked_sub(longest).filter(|count| *count > 0) else { return Ok((ids, 0)) };
        let added = encoding.get_special_tokens_mask();
        let at_start = added.iter().take_while(|&&added| added == 1).count();
        let end = ids.len() - added.iter().rev().take_while(|&&added| added == 1).count();
        if left_out >= end.saturating_sub(at_start) {
            let problem = format!("{longest} tokens leave no room beside those the tokenizer adds");
            return Err(LoadError::Encode { problem });
        }
        ids.drain(end - left_out..end);
        Ok((ids, left_out))
    }

    /// The ids of a text, special tokens added as the tokenizer prescribes.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, LoadError> {
        Ok(self.encoding(|library| library.encode_fast(text, true))?.get_ids().to_vec())
    }

    /// The tokens of a text and their places, special tokens added as the tokenizer prescribes.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub(crate) fn placed(&self, text: &str) -> Result<Vec<PlacedToken>, LoadError> {
        Ok(placed(&self.encoding(|library| library.encode(text, true))?))
    }

    /// The same for a text that goes on where another one ended: no special tokens are added.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub(crate) fn placed_continuation(&self, text: &str) -> Result<Vec<PlacedToken>, LoadError> {
        self.continuation(text, |text| Ok(placed(&self.encoding(|library| library.encode(text, false))?)))
    }

    /// The ids of a text that goes on where another one ended: no special tokens are added.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn continuation_ids(&self, text: &str) -> Result<Vec<u32>, LoadError> {
        let plain = |text: &str| Ok(placed(&self.encoding(|library| library.encode_fast(text, false))?));
        Ok(self.continuation(text, plain)?.into_iter().map(|token| token.id).collect())
    }

    fn continuation(
        &self,
        text: &str,
        plain: impl Fn(&str) -> Result<Vec<PlacedToken>, LoadError>,
    ) -> Result<Vec<PlacedToken>, LoadError> {
        if self.bytes.as_ref().is_some_and(|bytes| bytes.adds_space) {
            // The space such a tokenizer puts before every text goes to an anchor, which is then taken away.
            for anchor in ANCHORS {
                let (before, mut all) = (plain(anchor)?, plain(&format!("{anchor}{text}"))?);
                let is_behind = all.len() >= before.len() && before.iter().zip(&all).all(|(a, b)| a.id == b.id);
                if is_behind && !before.is_empty() {
                    all.drain(..before.len());
                    let place = |at: usize| at.saturating_sub(anchor.len());
                    let shifted =
                        |token: PlacedToken| PlacedToken { start: place(token.start), end: place(token.end), ..token };
                    return Ok(all.into_iter().map(shifted).collect());
                }
            }
        }
        plain(text)
    }

    /// The ids that the tokenizer adds behind every text.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub(crate) fn added_behind(&self) -> Result<Vec<u32>, LoadError> {
        let tokens = self.placed("a")?;
        let end = tokens.iter().rposition(|token| !token.is_added).map_or(tokens.len(), |last| last + 1);
        Ok(tokens[end..].iter().map(|token| token.id).collect())
    }

    /// The ids of a text that goes on where `before` ended, as the tokenizer splits the two when it reads them together: a
    /// SentencePiece tokenizer puts no space of its own between them. Where a token would stretch over the border, the text
    /// is split by itself, as [`Self::continuation_ids`] does. Of `before` only the end counts, [`BORDER`] bytes.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn ids_after(&self, before: &str, text: &str) -> Result<Vec<u32>, LoadError> {
        let mut start = before.len().saturating_sub(BORDER);
        while !before.is_char_boundary(start) {
            start += 1;
        }
        let before = &before[start..];
        let first = self.continuation_ids(before)?;
        let mut both = self.continuation_ids(&format!("{before}{text}"))?;
        if both.len() > first.len() && both.starts_with(&first) {
            return Ok(both.split_off(first.len()));
        }
        self.continuation_ids(text)
    }

    /// What the library makes of a text, if the model can read all of it.
    fn encoding(
        &self,
        encode: impl FnOnce(&tokenizers::Tokenizer) -> Result<tokenizers::Encoding, tokenizers::Error>,
    ) -> Result<tokenizers::Encoding, LoadError> {
        self.refuse_none()?;
        let encoding = guarded(|| encode(&self.inner))?;
        match encoding.get_ids().iter().find(|&&id| !self.has(id)) {
            Some(&id) => {
                let (token, limit) = (self.token_text(id), self.limit.unwrap_or_default());
                let problem =
                    format!("the token `{token}` has the id {id}, and the model's vocabulary ends at {limit}");
                Err(LoadError::Encode { problem })
            }
            None => Ok(encoding),
        }
    }

    fn refuse_none(&self) -> Result<(), LoadError> {
        match &self.none {
            Some((model, problem)) => Err(LoadError::NoTokenizer { model: model.clone(), problem: problem.clone() }),
            None => Ok(()),
        }
    }

    /// True where each token adds its text to what stands before it, and changes nothing of that.
    pub(super) fn joins_token_by_token(&self) -> bool {
        matches!(self.inner.get_decoder(), None | Some(DecoderWrapper::WordPiece(_) | DecoderWrapper::BPE(_)))
    }

    /// True for ids that the model has an embedding for.
    fn has(&self, id: u32) -> bool {
        self.limit.is_none_or(|limit| (id as usize) < limit)
    }

    /// A token's own text. Bytes that are no whole character are written as numbers, `<E4B8>`, so that the pieces of one can
    /// be told from each other. Empty for ids no token has.
    #[must_use]
    pub fn token_text(&self, id: u32) -> String {
        match &self.bytes {
            Some(bytes) if !self.is_none() => with_numbers(bytes.of_token(id)),
            _ => self.lossy_token_text(id),
        }
    }

    /// A token's own text, in which U+FFFD stands for bytes that are no whole character.
    #[must_use]
    pub fn lossy_token_text(&self, id: u32) -> String {
        if self.is_none() {
            return format!("[{id}]");
        }
        match &self.bytes {
            Some(bytes) => String::from_utf8_lossy(bytes.of_token(id)).into_owned(),
            None => self.join(&[id]),
        }
    }

    /// The text of a whole sequence. Tokenizers that put a space before every text have it taken away again.
    #[must_use]
    pub fn decode(&self, ids: &[u32]) -> String {
        if self.is_none() {
            return ids.iter().map(|&id| self.token_text(id)).collect();
        }
        let Some(bytes) = &self.bytes else { return self.join(ids) };
        let joined: Vec<u8> = ids.iter().flat_map(|&id| bytes.of_token(id)).copied().collect();
        let mut text = bytes.rewritten(String::from_utf8_lossy(&joined).into_owned());
        if bytes.adds_space && text.starts_with(' ') {
            text.remove(0);
        }
        text
    }

    /// Joins tokens one by one, as the continuation of `before`: their first space counts.
    #[must_use]
    pub fn stream(self: &Arc<Self>, before: &[u32]) -> StreamDecoder {
        StreamDecoder::new(Arc::clone(self), before)
    }

    /// Joins tokens with the tokenizer's own decoder.
    pub(super) fn join(&self, ids: &[u32]) -> String {
        let plain = || ids.iter().filter_map(|&id| self.inner.id_to_token(id)).collect();
        guarded(|| self.inner.decode(ids, false)).unwrap_or_else(|_| plain())
    }
}

/// A text, and as numbers those of its bytes that are no whole character.
fn with_numbers(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut broken = String::new();
    for chunk in bytes.utf8_chunks() {
        if !chunk.valid().is_empty() {
            text += &in_brackets(&mut broken);
            text += chunk.valid();
        }
        chunk.invalid().iter().for_each(|byte| broken += &format!("{byte:02X}"));
    }
    text + &in_brackets(&mut broken)
}

fn in_brackets(numbers: &mut String) -> String {
    let numbers = std::mem::take(numbers);
    if numbers.is_empty() { numbers } else { format!("<{numbers}>") }
}

fn placed(encoding: &tokenizers::Encoding) -> Vec<PlacedToken> {
    let added = encoding.get_special_tokens_mask().iter().map(|&mark| mark == 1);
    let tokens = encoding.get_ids().iter().zip(encoding.get_offsets()).zip(added);
    tokens.map(|((&id, &(start, end)), is_added)| PlacedToken { id, start, end, is_added }).collect()
}

/// What the library makes of a file. It panics where a decoder is nested too deeply or contradicts itself; it should return
/// an error.
fn unbroken<T>(path: &Path, work: impl FnOnce() -> Result<T, tokenizers::Error>) -> Result<T, LoadError> {
    let problem = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "its parts contradict each other, or are nested too deeply".to_owned(),
    };
    Err(LoadError::Tokenizer { path: path.to_owned(), problem })
}

/// What the library answers. It panics on some tokenizers that contradict themselves, where it should return an error.
fn guarded<T>(work: impl FnOnce() -> Result<T, tokenizers::Error>) -> Result<T, LoadError> {
    let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    let problem = match answer {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the parts of this tokenizer contradict each other".to_owned(),
    };
    Err(LoadError::Encode { problem })
}

#[cfg(test)]
#[path = "tokenizer_tests.rs"]
mod tests;
