//! Tokens to text as they come, each piece given once and for good.

use crate::load::tokens::tokenizer::Tokenizer;
use std::sync::Arc;

/// Tokens that are joined again with a new one where the tokenizer has a decoder of its own: enough for it to see that the
/// new one is neither the first nor alone.
const WINDOW: usize = 4;

/// Turns tokens into text as they come. Bytes that do not make a whole character yet wait for the next token, so joining
/// what [`Self::push`] and [`Self::finish`] return gives the exact text.
#[derive(Clone, Debug)]
pub struct StreamDecoder {
    tokenizer: Arc<Tokenizer>,
    pending: Vec<u8>,
    /// Whole characters whose text may still be replaced by another once more follows.
    held: String,
    /// For tokenizers with a decoder of their own: the tokens before the new one.
    ids: Vec<u32>,
    /// How many of them came before the text to be given.
    before: usize,
}

impl StreamDecoder {
    pub(super) fn new(tokenizer: Arc<Tokenizer>, before: &[u32]) -> Self {
        Self { tokenizer, pending: Vec::new(), held: String::new(), ids: before.to_vec(), before: before.len() }
    }

    /// The text this token adds; may be empty.
    pub fn push(&mut self, id: u32) -> String {
        if self.tokenizer.is_none() {
            return self.tokenizer.token_text(id);
        }
        let Some(bytes) = &self.tokenizer.bytes else { return self.push_whole(id) };
        self.pending.extend_from_slice(bytes.of_token(id));
        self.held.push_str(&take_whole_characters(&mut self.pending));
        let settled = bytes.settled(&self.held);
        bytes.rewritten(self.held.drain(..settled).collect())
    }

    /// The same where the tokenizer's own decoder joins the tokens.
    fn push_whole(&mut self, id: u32) -> String {
        if !self.tokenizer.joins_token_by_token() {
            // It may rewrite all it wrote, so nothing of it can be given before the end.
            self.ids.push(id);
            return String::new();
        }
        self.ids.drain(..self.ids.len().saturating_sub(WINDOW));
        self.before = self.ids.len();
        self.ids.push(id);
        self.new_text()
    }

    /// What the tokens behind the first ones add to them.
    fn new_text(&self) -> String {
        let (before, mut all) = (self.tokenizer.join(&self.ids[..self.before]), self.tokenizer.join(&self.ids));
        let same = before.chars().zip(all.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
        all.split_off(same)
    }

    /// What is still held back once no token follows: U+FFFD for a character that was never completed.
    pub fn finish(&mut self) -> String {
        let Some(bytes) = &self.tokenizer.bytes else {
            let text = if self.tokenizer.joins_token_by_token() { String::new() } else { self.new_text() };
            self.before = self.ids.len();
            return text;
        };
        self.held.push_str(&String::from_utf8_lossy(&self.pending));
        self.pending.clear();
        bytes.rewritten(std::mem::take(&mut self.held))
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
