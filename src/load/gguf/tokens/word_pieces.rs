//! BERT's pieces of words. Files mark the beginning of a word where BERT's vocabulary marks what continues one.

use super::vocabulary::{Purpose, Vocabulary};
use crate::load::error::LoadError;
use tokenizers::decoders;
use tokenizers::models::bpe::Vocab;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::template::TemplateProcessing;

/// What stands before a piece that begins a word.
const BEGINS: char = '▁';
/// Whether texts are put in lower case, and whether letters lose their accents.
const LOWER: &str = "tokenizer.ggml.normalizer.lowercase";
const STRIP: &str = "tokenizer.ggml.normalizer.strip_accents";
/// Tokens that BERT's vocabulary has, where a file names none.
const UNKNOWN: &str = "[UNK]";

pub(super) fn build(tokens: &Vocabulary<'_>) -> Result<tokenizers::Tokenizer, LoadError> {
    let broken = |error: tokenizers::Error| tokens.broken(error.to_string());
    let words: Vec<String> = (0..tokens.texts.len()).map(|id| word(tokens, id)).collect();
    let unknown = match tokens.id("unknown")? {
        Some(id) => words[id as usize].clone(),
        None => UNKNOWN.to_owned(),
    };
    let vocabulary: Vocab = words.iter().zip(0..).map(|(word, id)| (word.clone(), id)).collect();
    let model = WordPiece::builder()
        .vocab(vocabulary)
        .unk_token(unknown)
        .max_input_chars_per_word(100)
        .build()
        .map_err(broken)?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    // Older files do not say whether capitals count; a vocabulary that has some does.
    let has_capitals = (0..words.len()).any(|id| {
        tokens.texts[id].starts_with(BEGINS) && words[id].chars().any(char::is_uppercase) && !words[id].starts_with('[')
    });
    let lower = tokens.metadata().flag(LOWER)?.unwrap_or(!has_capitals);
    let strip = tokens.metadata().flag(STRIP)?;
    tokenizer.with_normalizer(Some(BertNormalizer::new(true, true, strip, lower))).map_err(broken)?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_decoder(Some(decoders::wordpiece::WordPiece::default()));
    Ok(tokenizer)
}

/// A token as BERT's vocabulary spells it.
fn word(tokens: &Vocabulary<'_>, id: usize) -> String {
    let text = tokens.texts[id];
    let is_bracketed = text.len() > 2 && text.starts_with('[') && text.ends_with(']');
    match text.strip_prefix(BEGINS) {
        Some(word) if tokens.purpose(id) != Purpose::Control => word.to_owned(),
        None if tokens.purpose(id) == Purpose::Text && !is_bracketed => format!("##{text}"),
        _ => text.to_owned(),
    }
}

/// Puts a text between the tokens that begin and end it, and a second one behind.
pub(super) fn put_ends(tokenizer: &mut tokenizers::Tokenizer, tokens: &Vocabulary<'_>) -> Result<(), LoadError> {
    let find = |roles: [&str; 2], usual: &str| -> Result<(String, u32), LoadError> {
        for role in roles {
            if let Some(id) = tokens.id(role)? {
                return Ok((tokens.texts[id as usize].to_owned(), id));
            }
        }
        let place = tokens.texts.iter().position(|text| *text == usual);
        let id = place.ok_or_else(|| tokens.broken(format!("it has no token {usual}")))?;
        Ok((usual.to_owned(), id as u32))
    };
    let first = find(["cls", "bos"], "[CLS]")?;
    let last = find(["seperator", "eos"], "[SEP]")?;
    let broken = |error: String| tokens.broken(error);
    let (start, end) = (first.0.clone(), last.0.clone());
    let template = TemplateProcessing::builder()
        .try_single(format!("{start}:0 $A:0 {end}:0"))
        .and_then(|builder| builder.try_pair(format!("{start}:0 $A:0 {end}:0 $B:1 {end}:1")))
        .map_err(|error| broken(error.to_string()))?
        .special_tokens(vec![first, last])
        .build()
        .map_err(|error| broken(error.to_string()))?;
    tokenizer.with_post_processor(Some(template));
    Ok(())
}
