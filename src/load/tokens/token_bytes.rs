//! The bytes each token stands for, read from the decoder that tokenizer.json describes.
//!
//! Covers byte-level BPE (GPT-2, Llama 3, Qwen) and SentencePiece styles (Llama 1 and 2, Mistral): spaces written as `▁`,
//! single bytes as `<0xE2>`, and a space before every text.

use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{Decoder, DecoderWrapper, Tokenizer};

/// The bytes of every token.
pub(in crate::load) struct TokenBytes {
    by_id: Vec<Box<[u8]>>,
    /// True when the tokenizer puts a space before every text, which decoding takes away.
    pub(in crate::load) adds_space: bool,
    /// What is to be replaced in the joined text, one after the other.
    rewrites: Vec<(String, String)>,
    /// Characters that a text to be replaced may begin with.
    hot: BTreeSet<char>,
}

impl TokenBytes {
    /// Empty for ids no token has.
    pub(in crate::load) fn of_token(&self, id: u32) -> &[u8] {
        self.by_id.get(id as usize).map_or(&[], |bytes| bytes)
    }

    /// What a joined text says once everything is replaced.
    pub(in crate::load) fn rewritten(&self, mut text: String) -> String {
        for (from, to) in &self.rewrites {
            if text.contains(from) {
                text = text.replace(from, to);
            }
        }
        text
    }

    /// How much of a joined text stays as it is once rewritten, whatever follows: it ends before characters that something
    /// to be replaced begins with.
    pub(in crate::load) fn settled(&self, text: &str) -> usize {
        text.trim_end_matches(|c| self.hot.contains(&c)).len()
    }
}

/// What is replaced in a token of its own.
enum Replacement {
    Text(String, String),
    /// By the library, which knows regular expressions.
    Pattern(DecoderWrapper),
}

impl Replacement {
    fn apply(&self, token: String) -> String {
        match self {
            Self::Text(from, to) => token.replace(from, to),
            Self::Pattern(pattern) => pattern.decode_chain(vec![token.clone()]).map_or(token, |parts| parts.concat()),
        }
    }
}

/// What a decoder does to one token.
#[derive(Default)]
struct Spelling {
    byte_level: bool,
    /// True once the tokens were joined.
    joined: bool,
    replacements: Vec<Replacement>,
    /// Replacements that come after bytes were joined, and may reach over the borders of tokens.
    rewrites: Vec<(String, String)>,
    byte_fallback: bool,
    adds_space: bool,
}

/// Those of a tokenizer with this vocabulary. `None` when it joins tokens in a way that is more than putting bytes in a row.
pub(in crate::load) fn of(tokenizer: &Tokenizer, vocabulary: HashMap<String, u32>) -> Option<TokenBytes> {
    let decoder = serde_json::to_value(tokenizer.get_decoder()?).ok()?;
    let mut spelling = Spelling::default();
    spelling.add(&decoder)?;
    let added = tokenizer.get_added_tokens_decoder();
    let size = vocabulary.values().max().map_or(0, |&id| id as usize + 1);
    let mut by_id = vec![Box::default(); size];
    for (token, id) in vocabulary {
        // Added tokens are written as they are, whatever the alphabet of the others.
        let literal = added.contains_key(&id);
        by_id[id as usize] = if literal { token.into_bytes() } else { spelling.bytes(&token) }.into_boxed_slice();
    }
    let first_parts =
        spelling.rewrites.iter().map(|(from, _)| from.char_indices().next_back().map_or("", |(end, _)| &from[..end]));
    let hot = first_parts.flat_map(str::chars).collect();
    Some(TokenBytes { by_id, adds_space: spelling.adds_space, rewrites: spelling.rewrites, hot })
}

impl Spelling {
    fn add(&mut self, decoder: &Value) -> Option<()> {
        match decoder["type"].as_str()? {
            "Sequence" => decoder["decoders"].as_array()?.iter().try_for_each(|d| self.add(d))?,
            "ByteLevel" => (self.byte_level, self.joined) = (true, true),
            "ByteFallback" => self.byte_fallback = true,
            "Fuse" => self.joined = true,
            "Replace" => match (decoder["pattern"]["String"].as_str(), self.joined) {
                (Some(from), joined) => {
                    let (from, to) = (from.to_owned(), decoder["content"].as_str()?.to_owned());
                    match joined {
                        true => self.rewrites.push((from, to)),
                        false => self.replacements.push(Replacement::Text(from, to)),
                    }
                }
                (None, false) => {
                    let pattern = serde_json::from_value(decoder.clone()).ok()?;
                    self.replacements.push(Replacement::Pattern(pattern));
                }
                // How far a match may reach over what follows cannot be told.
                (None, true) => return None,
            },
            "Metaspace" => {
                let space = decoder["replacement"].as_str()?.to_owned();
                self.replacements.push(Replacement::Text(space, " ".to_owned()));
                self.adds_space = decoder["prepend_scheme"].as_str().unwrap_or("always") != "never";
            }
            "Strip" => {
                let one_space_at_start = decoder["content"] == " " && decoder["start"] == 1 && decoder["stop"] == 0;
                one_space_at_start.then_some(())?;
                self.adds_space = true;
            }
            _ => return None,
        }
        Some(())
    }

    fn bytes(&self, token: &str) -> Vec<u8> {
        if self.byte_level {
            let bytes: Option<Vec<u8>> = token.chars().map(byte_of_char).collect();
            return bytes.unwrap_or_else(|| token.as_bytes().to_vec());
        }
        if self.byte_fallback
            && let Some(byte) = token.strip_prefix("<0x").and_then(|t| t.strip_suffix('>'))
            && byte.len() == 2
            && let Ok(byte) = u8::from_str_radix(byte, 16)
        {
            return vec![byte];
        }
        let mut text = token.to_owned();
        for replacement in &self.replacements {
            text = replacement.apply(text);
        }
        text.into_bytes()
    }
}

/// The byte that a character of the byte-level alphabet stands for: printable Latin-1 characters stand for themselves,
/// the other bytes are numbered from U+0100 on (Radford et al. 2019).
fn byte_of_char(c: char) -> Option<u8> {
    let code = c as u32;
    match u8::try_from(code) {
        Ok(byte) => is_printable(byte).then_some(byte),
        Err(_) => (0..=255).filter(|b| !is_printable(*b)).nth(code as usize - 256),
    }
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
}

/// One token a byte, the id being the byte.
pub(in crate::load) fn byte_tokenizer() -> Tokenizer {
    let mut hidden = (0x100..).filter_map(char::from_u32);
    let alphabet = (0..=255u8).map(|b| if is_printable(b) { char::from(b) } else { hidden.next().unwrap_or_default() });
    let vocabulary = alphabet.enumerate().map(|(i, c)| (c.to_string(), i as u32)).collect::<Vec<_>>();
    let model =
        BPE::builder().vocab_and_merges(vocabulary.into_iter().collect::<tokenizers::models::bpe::Vocab>(), vec![]);
    let mut tokenizer = Tokenizer::new(model.build().expect("a vocabulary of bytes without merges is consistent"));
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, false, false)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    tokenizer
}
