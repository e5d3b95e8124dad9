//! A tokenizer as settings of GGUF.

use crate::load::error::LoadError;
use crate::load::gguf::{Purpose, Setting, way_of};
use crate::load::tokens::tokenizer::Tokenizer;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// The mark that stands for a space in SentencePiece's pieces.
const SPACE: &str = "▁";
/// How BERT's vocabulary marks what continues a word.
const CONTINUES: &str = "##";

type Settings = Vec<(String, Setting)>;

/// A tokenizer's own description of itself.
struct Spelled<'a> {
    json: &'a Value,
    path: &'a Path,
    /// By id: the text of a token and what it is for.
    tokens: Vec<(String, Purpose)>,
}

/// The settings of a tokenizer for a model with so many embeddings.
pub(super) fn settings(tokenizer: &Tokenizer, vocabulary: usize, path: &Path) -> Result<Settings, LoadError> {
    let mut settings = Settings::new();
    let mut put = |name: &str, value: Setting| settings.push((format!("tokenizer.ggml.{name}"), value));
    if tokenizer.is_none() {
        put("model", Setting::Text("none".to_owned()));
        return Ok(settings);
    }
    let broken = |problem: String| LoadError::Tokenizer { path: path.to_owned(), problem };
    let json: Value = serde_json::from_str(&tokenizer.to_json()?).map_err(|error| broken(error.to_string()))?;
    let mut spelled = Spelled { json: &json, path, tokens: tokens(&json, vocabulary) };
    match json["model"]["type"].as_str() {
        Some("WordPiece") => spelled.word_pieces(&mut put)?,
        Some("BPE") if json["model"]["byte_fallback"] == true => spelled.pieces(&mut put)?,
        Some("BPE") => spelled.byte_level(&mut put)?,
        other => return Err(spelled.refused("model.type", &other.unwrap_or("none"), "BPE, WordPiece")),
    }
    let (texts, purposes): (Vec<String>, Vec<i32>) =
        spelled.tokens.into_iter().map(|(text, purpose)| (text, purpose.number())).unzip();
    put("tokens", Setting::Texts(texts));
    put("token_type", Setting::Wholes(purposes));
    Ok(settings)
}

/// Every token by its id; ids that no token has are filled up, and those without an embedding left out.
fn tokens(json: &Value, vocabulary: usize) -> Vec<(String, Purpose)> {
    let mut tokens: Vec<_> = (0..vocabulary).map(|id| (format!("[PAD{id}]"), Purpose::Unused)).collect();
    let mut set = |id: Option<u64>, text: &str, purpose: Purpose| {
        let place = id.and_then(|id| usize::try_from(id).ok()).and_then(|id| tokens.get_mut(id));
        if let Some(token) = place {
            *token = (text.to_owned(), purpose);
        }
    };
    for (text, id) in json["model"]["vocab"].as_object().into_iter().flatten() {
        set(id.as_u64(), text, Purpose::Text);
    }
    for added in json["added_tokens"].as_array().into_iter().flatten() {
        let purpose = if added["special"] == true { Purpose::Control } else { Purpose::Whole };
        set(added["id"].as_u64(), added["content"].as_str().unwrap_or_default(), purpose);
    }
    tokens
}

impl Spelled<'_> {
    fn refused(&self, field: &str, value: &dyn ToString, supported: &str) -> LoadError {
        LoadError::UnsupportedOption {
            path: self.path.to_owned(),
            field: format!("tokenizer: {field}"),
            value: value.to_string(),
            supported: format!("{supported} in GGUF"),
        }
    }

    /// Pairs of tokens, in the order in which they are put together.
    fn merges(&self) -> Vec<(String, String)> {
        let pair = |merge: &Value| -> Option<(String, String)> {
            match merge {
                Value::Array(pair) => Some((pair.first()?.as_str()?.to_owned(), pair.get(1)?.as_str()?.to_owned())),
                other => other.as_str()?.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())),
            }
        };
        let merges = self.json["model"]["merges"].as_array();
        merges.into_iter().flatten().filter_map(pair).collect()
    }

    fn byte_level(&mut self, put: &mut dyn FnMut(&str, Setting)) -> Result<(), LoadError> {
        let composed = match self.json["normalizer"]["type"].as_str() {
            None => false,
            Some("NFC") => true,
            Some(other) => return Err(self.refused("normalizer", &other, "none, NFC")),
        };
        let whole = self.json["model"]["ignore_merges"] == true;
        let Some(way) = way_of(&self.json["pre_tokenizer"], whole, composed) else {
            let words = "one of a kind that GGUF has no name for";
            return Err(self.refused("pre_tokenizer", &words, "the ways of GPT-2, Llama 3, Qwen 2, SmolLM and Tekken"));
        };
        put("model", Setting::Text("gpt2".to_owned()));
        put("pre", Setting::Text(way.to_owned()));
        put("merges", Setting::Texts(self.merges().into_iter().map(|(a, b)| format!("{a} {b}")).collect()));
        Ok(())
    }

    /// Pieces get scores by the place of the first merge that makes them.
    fn pieces(&mut self, put: &mut dyn FnMut(&str, Setting)) -> Result<(), LoadError> {
        let space = self.space_before()?;
        let mut scores = HashMap::new();
        for (place, (a, b)) in self.merges().into_iter().enumerate() {
            scores.entry(format!("{a}{b}")).or_insert(-(place as f32));
        }
        let lowest = -(scores.len() as f32) - 1.0;
        let of = |text: &String| scores.get(text).copied().unwrap_or(lowest);
        put("model", Setting::Text("llama".to_owned()));
        put("pre", Setting::Text("default".to_owned()));
        put("scores", Setting::Fractions(self.tokens.iter().map(|(text, _)| of(text)).collect()));
        put("add_space_prefix", Setting::Flag(space));
        let unknown = self.json["model"]["unk_token"].as_str();
        for (text, purpose) in &mut self.tokens {
            if Some(text.as_str()) == unknown {
                *purpose = Purpose::Unknown;
            } else if is_byte(text) {
                *purpose = Purpose::Byte;
            }
        }
        Ok(())
    }

    /// True where a space is put before a text; refuses what is no plain way to write spaces as marks.
    fn space_before(&self) -> Result<bool, LoadError> {
        let mut has_space = false;
        for (part, list) in [("normalizer", "normalizers"), ("pre_tokenizer", "pretokenizers")] {
            let whole = &self.json[part];
            let steps = whole[list].as_array().cloned().unwrap_or_else(|| vec![whole.clone()]);
            for step in steps {
                let to_mark = step["pattern"]["String"] == " " && step["content"] == SPACE;
                match step["type"].as_str() {
                    None => {}
                    Some("Prepend") if step["prepend"] == SPACE => has_space = true,
                    Some("Replace") if to_mark => {}
                    Some("Metaspace") if step["replacement"] == SPACE => has_space |= step["prepend_scheme"] != "never",
                    Some(other) => return Err(self.refused(part, &other, "Prepend, Replace and Metaspace with ▁")),
                }
            }
        }
        Ok(has_space)
    }

    /// Words begin with a mark, and what continues one has none.
    fn word_pieces(&mut self, put: &mut dyn FnMut(&str, Setting)) -> Result<(), LoadError> {
        let normalizer = &self.json["normalizer"];
        if normalizer["type"] != "BertNormalizer" || self.json["pre_tokenizer"]["type"] != "BertPreTokenizer" {
            return Err(self.refused("normalizer", &normalizer["type"], "BERT's own"));
        }
        let lower = normalizer["lowercase"] == true;
        // Without a word of its own it goes with the case.
        let strip = normalizer["strip_accents"].as_bool().unwrap_or(lower);
        put("normalizer.lowercase", Setting::Flag(lower));
        put("normalizer.strip_accents", Setting::Flag(strip));
        let special: Vec<String> =
            self.tokens.iter().filter(|(_, p)| *p == Purpose::Control).map(|(t, _)| t.clone()).collect();
        for (text, purpose) in &mut self.tokens {
            if *purpose == Purpose::Text && !special.contains(text) {
                *text = text.strip_prefix(CONTINUES).map_or_else(|| format!("{SPACE}{text}"), str::to_owned);
            }
        }
        put("model", Setting::Text("bert".to_owned()));
        put("token_type_count", Setting::Whole(2));
        Ok(())
    }
}

/// True for the spelling of a byte, `<0x0A>`.
fn is_byte(text: &str) -> bool {
    let digits = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}
