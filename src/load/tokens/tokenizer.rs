//! Text to tokens and back, byte for byte.
//!
//! The tokenizers crate splits text; joining tokens again is done here, on bytes. Its own decoder works on whole strings:
//! called token by token it loses the spaces and half characters that stand at the borders.

use crate::load::error::LoadError;
use crate::load::tokens::token_bytes::{self, TokenBytes};
use crate::types::PromptToken;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The file with the tokenizer.
pub(in crate::load) const TOKENIZER_FILE: &str = "tokenizer.json";

/// Texts to split a continuation behind: one of them is seldom joined with what follows it.
const ANCHORS: [&str; 3] = ["=", ".", "a"];

/// Sixty times the largest vocabularies of today; tables are as long as the largest id.
const LARGEST_ID: u32 = 1 << 24;

/// Bytes before a border that may decide how what follows is split: more than any word.
const BORDER: usize = 32;

/// Splits text into tokens and joins them again.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// `None` for tokenizers whose tokens are not plain stretches of bytes; those are joined by their own decoder.
    bytes: Option<TokenBytes>,
    /// Ids of the tokens that are marked as special.
    special: BTreeSet<u32>,
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
        let text = std::fs::read(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
        let broken = |problem: String| LoadError::Tokenizer { path: path.to_owned(), problem };
        let json: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(&text);
        json.map_err(|source| LoadError::Json { path: path.to_owned(), source })?;
        // The library panics where a decoder is nested too deeply or contradicts itself; it should return an error.
        let read = std::panic::catch_unwind(|| tokenizers::Tokenizer::from_bytes(&text).and_then(Self::new));
        match read {
            Ok(read) => read.map_err(|e| broken(e.to_string())),
            Err(_) => Err(broken("its parts contradict each other, or are nested too deeply".to_owned())),
        }
    }

    /// A tokenizer made in memory.
    ///
    /// # Errors
    /// When the tokenizer's settings contradict each other.
    pub fn new(mut tokenizer: tokenizers::Tokenizer) -> Result<Self, tokenizers::Error> {
        // Encoders ship with a maximum length and padding; a prompt must arrive whole and nothing be added to it.
        tokenizer.with_truncation(None)?;
        tokenizer.with_padding(None);
        if let Some((token, id)) = tokenizer.get_vocab(true).into_iter().find(|(_, id)| *id > LARGEST_ID) {
            return Err(format!("the token {token:?} has the id {id}, which is beyond any vocabulary").into());
        }
        let bytes = token_bytes::of(&tokenizer);
        let added = tokenizer.get_added_tokens_decoder();
        let special = added.into_iter().filter(|(_, token)| token.special).map(|(id, _)| id).collect();
        Ok(Self { inner: tokenizer, bytes, special })
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
        self.inner.to_string(true).map_err(|e| LoadError::Encode { problem: e.to_string() })
    }

    /// Number of tokens.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The largest id any token has.
    #[must_use]
    pub fn largest_id(&self) -> Option<u32> {
        self.inner.get_vocab(true).into_values().max()
    }

    /// True for a token that the tokenizer marks as special: one that stands for no text, such as the end of a turn.
    #[must_use]
    pub fn is_special(&self, id: u32) -> bool {
        self.special.contains(&id)
    }

    /// The id of the token spelled exactly so in the vocabulary.
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
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
        let encoding = guarded(|| self.inner.encode(text, add_special))?;
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

    /// As [`Self::encode`], cut off so that no more than `longest` tokens remain, those the tokenizer adds at either end
    /// among them. Also tells how many were left out.
    ///
    /// # Errors
    /// As [`Self::encode`], and when `longest` leaves no room beside the added tokens.
    pub fn encode_at_most(&self, text: &str, longest: usize) -> Result<(Vec<PromptToken>, usize), LoadError> {
        let mut tokens = self.encode(text)?;
        let Some(left_out) = tokens.len().checked_sub(longest).filter(|count| *count > 0) else {
            return Ok((tokens, 0));
        };
        let encoding = guarded(|| self.inner.encode_fast(text, true))?;
        let added = encoding.get_special_tokens_mask();
        let at_start = added.iter().take_while(|&&added| added == 1).count();
        let end = tokens.len() - added.iter().rev().take_while(|&&added| added == 1).count();
        if left_out >= end.saturating_sub(at_start) {
            let problem = format!("{longest} tokens leave no room beside those the tokenizer adds");
            return Err(LoadError::Encode { problem });
        }
        tokens.drain(end - left_out..end);
        Ok((tokens, left_out))
    }

    /// The ids of a text, special tokens added as the tokenizer prescribes.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, LoadError> {
        let encoding = guarded(|| self.inner.encode_fast(text, true))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The ids of a text that goes on where another one ended: no special tokens are added.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn continuation_ids(&self, text: &str) -> Result<Vec<u32>, LoadError> {
        let plain = |text: &str| -> Result<Vec<u32>, LoadError> {
            Ok(guarded(|| self.inner.encode_fast(text, false))?.get_ids().to_vec())
        };
        if self.bytes.as_ref().is_some_and(|bytes| bytes.adds_space) {
            // The space such a tokenizer puts before every text goes to an anchor, which is then taken away.
            for anchor in ANCHORS {
                let (before, mut all) = (plain(anchor)?, plain(&format!("{anchor}{text}"))?);
                if all.starts_with(&before) && !before.is_empty() {
                    all.drain(..before.len());
                    return Ok(all);
                }
            }
        }
        plain(text)
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
        let mut text = bytes.rewritten(String::from_utf8_lossy(&joined).into_owned());
        if bytes.adds_space && text.starts_with(' ') {
            text.remove(0);
        }
        text
    }

    /// Joins tokens one by one, as the continuation of an earlier text: its first space counts.
    #[must_use]
    pub fn stream(self: &Arc<Self>) -> StreamDecoder {
        StreamDecoder {
            tokenizer: Arc::clone(self),
            pending: Vec::new(),
            held: String::new(),
            ids: Vec::new(),
            given: 0,
        }
    }

    /// Joins tokens with the tokenizer's own decoder.
    fn join(&self, ids: &[u32]) -> String {
        let plain = || ids.iter().filter_map(|&id| self.inner.id_to_token(id)).collect();
        guarded(|| self.inner.decode(ids, false)).unwrap_or_else(|_| plain())
    }
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

/// Turns tokens into text as they come. Bytes that do not make a whole character yet wait for the next token, so joining
/// what [`Self::push`] and [`Self::finish`] return gives the exact text.
#[derive(Debug)]
pub struct StreamDecoder {
    tokenizer: Arc<Tokenizer>,
    pending: Vec<u8>,
    /// Whole characters whose text may still be replaced by another once more follows.
    held: String,
    /// For tokenizers with a decoder of their own: all ids, and the bytes of their text already given.
    ids: Vec<u32>,
    given: usize,
}

impl StreamDecoder {
    /// The text this token adds; may be empty.
    pub fn push(&mut self, id: u32) -> String {
        match &self.tokenizer.bytes {
            Some(bytes) => self.pending.extend_from_slice(bytes.of_token(id)),
            None => {
                self.ids.push(id);
                let text = self.tokenizer.join(&self.ids);
                // Such a decoder may rewrite the end of its text; only what is new behind it can be given.
                let whole = text.trim_end_matches('\u{FFFD}');
                let new = whole.get(self.given..).unwrap_or_default().to_owned();
                self.given += new.len();
                return new;
            }
        }
        self.held.push_str(&take_whole_characters(&mut self.pending));
        match &self.tokenizer.bytes {
            Some(bytes) => {
                let settled = bytes.settled(&self.held);
                bytes.rewritten(self.held.drain(..settled).collect())
            }
            None => std::mem::take(&mut self.held),
        }
    }

    /// What is still held back once no token follows: U+FFFD for a character that was never completed.
    pub fn finish(&mut self) -> String {
        self.held.push_str(&String::from_utf8_lossy(&self.pending));
        self.pending.clear();
        let rest = std::mem::take(&mut self.held);
        self.tokenizer.bytes.as_ref().map_or(rest.clone(), |bytes| bytes.rewritten(rest))
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// SentencePiece's spelling in the settings that Llama 2 ships: `▁` for spaces, one before every text, bytes as
    /// `<0xE2>` where no piece fits.
    fn sentencepiece() -> Arc<Tokenizer> {
        let mut vocabulary = vec!["<unk>".to_owned(), "<s>".to_owned(), "</s>".to_owned()];
        vocabulary.extend((0..=255u8).map(|b| format!("<0x{b:02X}>")));
        vocabulary.extend(["▁", "a", "b", "t", "h", "e", "▁t", "▁th", "▁the", "é"].map(str::to_owned));
        let vocabulary: serde_json::Map<_, _> =
            vocabulary.into_iter().enumerate().map(|(i, t)| (t, i.into())).collect();
        let special = |id: u32, content: &str| {
            serde_json::json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
        };
        tokenizer(&serde_json::json!({
            "version": "1.0",
            "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
            "normalizer": { "type": "Sequence", "normalizers": [
                { "type": "Prepend", "prepend": "▁" },
                { "type": "Replace", "pattern": { "String": " " }, "content": "▁" }] },
            "pre_tokenizer": null,
            "post_processor": { "type": "TemplateProcessing",
                "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
                "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
                "special_tokens": { "<s>": { "id": "<s>", "ids": [1], "tokens": ["<s>"] } } },
            "decoder": { "type": "Sequence", "decoders": [
                { "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
                { "type": "ByteFallback" }, { "type": "Fuse" },
                { "type": "Strip", "content": " ", "start": 1, "stop": 0 }] },
            "model": { "type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, "vocab": vocabulary,
                "merges": [["▁", "t"], ["▁t", "h"], ["▁th", "e"]] },
        }))
    }

    /// Words with a `▁` before each, split and joined by Metaspace.
    fn metaspace() -> Arc<Tokenizer> {
        let vocabulary: serde_json::Map<_, _> =
            ["▁", "a", "b", "▁a", "▁b"].into_iter().enumerate().map(|(i, t)| (t.to_owned(), i.into())).collect();
        let metaspace = serde_json::json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always" });
        tokenizer(&serde_json::json!({
            "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": metaspace, "decoder": metaspace,
            "model": { "type": "BPE", "vocab": vocabulary, "merges": [["▁", "a"], ["▁", "b"]] },
        }))
    }

    fn tokenizer(json: &serde_json::Value) -> Arc<Tokenizer> {
        Arc::new(Tokenizer::new(json.to_string().parse().unwrap()).unwrap())
    }

    fn streamed(tokenizer: &Arc<Tokenizer>, ids: &[u32]) -> String {
        let mut stream = tokenizer.stream();
        let text: String = ids.iter().map(|&id| stream.push(id)).collect();
        text + &stream.finish()
    }

    #[test]
    fn a_character_split_over_tokens_comes_with_the_last_of_them() {
        let tokenizer = Arc::new(Tokenizer::bytes());
        let mut stream = tokenizer.stream();
        let pushed: Vec<String> = "a€b".bytes().map(|b| stream.push(u32::from(b))).collect();
        assert_eq!(pushed, ["a", "", "", "€", "b"]);
        assert_eq!(stream.finish(), "");
        assert_eq!(stream.push(0xE2), "");
        assert_eq!(stream.finish(), "\u{FFFD}");
    }

    #[test]
    fn a_continuation_keeps_its_first_space() {
        let tokenizer = sentencepiece();
        let prompt = tokenizer.ids("the the").unwrap();
        assert_eq!(tokenizer.decode(&prompt[1..]), "the the");
        assert_eq!(streamed(&tokenizer, &prompt[2..]), " the");
        assert_eq!(tokenizer.decode(&prompt), "<s> the the");
    }

    #[test]
    fn bytes_without_a_piece_are_put_together_again() {
        let tokenizer = sentencepiece();
        let ids = tokenizer.ids("é€").unwrap();
        let texts: Vec<String> = ids.iter().map(|&id| tokenizer.token_text(id)).collect();
        assert_eq!(texts, ["<s>", " ", "é", "\u{FFFD}", "\u{FFFD}", "\u{FFFD}"]);
        let mut stream = tokenizer.stream();
        let pushed: Vec<String> = ids[2..].iter().map(|&id| stream.push(id)).collect();
        assert_eq!(pushed, ["é", "", "", "€"]);
    }

    #[test]
    fn metaspace_gives_its_space_back() {
        let tokenizer = metaspace();
        let ids = tokenizer.ids("a b").unwrap();
        assert_eq!(tokenizer.decode(&ids), "a b");
        assert_eq!(streamed(&tokenizer, &ids), " a b");
    }

    #[test]
    fn spans_cover_the_text_and_added_tokens_are_empty() {
        let tokens = sentencepiece().encode("the ab").unwrap();
        let spans: Vec<_> = tokens.iter().map(|t| (t.text.as_str(), t.span.clone())).collect();
        assert_eq!(spans, [("<s>", 0..0), (" the", 0..3), (" ", 3..4), ("a", 4..5), ("b", 5..6)]);
    }

    #[test]
    fn a_whole_text_gets_no_tokens_beside_its_own() {
        let tokenizer = sentencepiece();
        let tokens = tokenizer.encode_whole("<s>the</s>").unwrap();
        let told: Vec<_> = tokens.iter().map(|t| (t.id, tokenizer.is_special(t.id), t.span.clone())).collect();
        assert_eq!(told, [(1, true, 0..3), (tokenizer.token_id("▁the").unwrap(), false, 3..6), (2, true, 6..10)]);
        assert_eq!(tokenizer.encode("<s>the").unwrap()[..2].iter().map(|t| t.id).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn what_goes_on_is_split_as_if_read_together() {
        let tokenizer = sentencepiece();
        let the = tokenizer.token_id("▁the").unwrap();
        assert_eq!(tokenizer.ids_after("the", " the").unwrap(), [the]);
        assert_eq!(tokenizer.continuation_ids(" the").unwrap(), [the], "the space before every text is not its own");
        // Here the two would become one token, so the text is split by itself.
        assert_eq!(tokenizer.ids_after("t", "he").unwrap(), tokenizer.continuation_ids("he").unwrap());
        let long = "é".repeat(40);
        assert_eq!(tokenizer.ids_after(&long, " the").unwrap(), [the]);
        let bytes = Tokenizer::bytes();
        assert_eq!(bytes.ids_after("", "ab").unwrap(), [97, 98]);
        assert_eq!(bytes.ids_after("x", "").unwrap(), [0; 0]);
    }

    #[test]
    fn a_special_token_is_written_as_it_is() {
        let tokenizer = sentencepiece();
        assert_eq!(tokenizer.token_text(2), "</s>");
        assert_eq!(tokenizer.token_text(9999), "");
    }

    #[test]
    fn a_tokenizer_with_a_decoder_of_its_own_still_streams() {
        let vocabulary = serde_json::json!({ "play": 0, "##ing": 1, "is": 2, "[UNK]": 3 });
        let tokenizer = tokenizer(&serde_json::json!({
            "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": { "type": "Whitespace" },
            "decoder": { "type": "WordPiece", "prefix": "##", "cleanup": false },
            "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": vocabulary },
        }));
        let ids = tokenizer.ids("playing is").unwrap();
        assert_eq!(ids, [0, 1, 2]);
        assert_eq!(streamed(&tokenizer, &ids), "playing is");
    }

    proptest! {
        #[test]
        fn streaming_bytes_gives_the_decoded_string(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let ids: Vec<u32> = bytes.iter().map(|&b| u32::from(b)).collect();
            prop_assert_eq!(streamed(&Arc::new(Tokenizer::bytes()), &ids), String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn every_text_survives_the_byte_tokenizer(text in "\\PC{0,30}|[ \\n\\t]{0,5}") {
            let tokenizer = Arc::new(Tokenizer::bytes());
            let ids = tokenizer.ids(&text).unwrap();
            prop_assert_eq!(&ids, &text.bytes().map(u32::from).collect::<Vec<_>>());
            prop_assert_eq!(&tokenizer.decode(&ids), &text);
            prop_assert_eq!(&streamed(&tokenizer, &ids), &text);
        }

        #[test]
        fn every_text_survives_sentencepiece(text in "[abthe é€😀]{0,30}") {
            let tokenizer = sentencepiece();
            let ids = tokenizer.ids(&text).unwrap();
            prop_assert_eq!(&tokenizer.decode(&ids[1..]), &text);
            // An empty text gets no space before it.
            let expected = if text.is_empty() { String::new() } else { format!(" {text}") };
            prop_assert_eq!(streamed(&tokenizer, &ids[1..]), expected);
            prop_assert_eq!(tokenizer.inner.decode(&ids, true).unwrap(), text);
        }
    }
}
