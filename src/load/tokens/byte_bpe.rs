//! Learns a tokenizer: byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019).
//!
//! Every byte has a token, so any text can be written. One special token stands before every text and, as the start of the
//! next, ends it.

use crate::load::error::LoadError;
use crate::load::tokens::tokenizer::Tokenizer;
use tokenizers::AddedToken;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;

/// The special token that separates documents; its id is 0.
pub const DOCUMENT_SEPARATOR: &str = "<|endoftext|>";
/// The 256 bytes and the special token need this many tokens.
pub const SMALLEST_VOCABULARY: usize = crate::types::BYTE_VOCABULARY;
/// A piece that was seen only once teaches nothing.
const LEAST_FREQUENCY: u64 = 2;

/// Learns at most `vocabulary` tokens from texts. The same texts give the same tokenizer.
///
/// # Errors
///
/// When `vocabulary` is smaller than [`SMALLEST_VOCABULARY`], or the tokenizers crate refuses.
pub fn learn_byte_bpe(
    texts: impl Iterator<Item = impl AsRef<str> + Send> + Send,
    vocabulary: usize,
) -> Result<Tokenizer, LoadError> {
    let failed = |problem: String| LoadError::Encode { problem };
    if vocabulary < SMALLEST_VOCABULARY {
        return Err(failed(format!("a byte-level vocabulary has at least {SMALLEST_VOCABULARY} tokens")));
    }
    let mut tokenizer = tokenizers::Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    let mut trainer = TrainerWrapper::BpeTrainer(byte_level_trainer(vocabulary));
    tokenizer.train(&mut trainer, texts).map_err(|error| failed(error.to_string()))?;
    separator_before_every_text(&mut tokenizer).map_err(|error| failed(error.to_string()))?;
    Tokenizer::new(tokenizer).map_err(|error| failed(error.to_string()))
}

/// Learns at most so many tokens, the separator first, then the bytes.
pub(in crate::load) fn byte_level_trainer(vocabulary: usize) -> BpeTrainer {
    BpeTrainer::builder()
        .vocab_size(vocabulary)
        .min_frequency(LEAST_FREQUENCY)
        .show_progress(false)
        .special_tokens(vec![AddedToken::from(DOCUMENT_SEPARATOR, true)])
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build()
}

/// Makes the tokenizer put the separator before every text.
pub(in crate::load) fn separator_before_every_text(tokenizer: &mut tokenizers::Tokenizer) -> tokenizers::Result<()> {
    let id = tokenizer.token_to_id(DOCUMENT_SEPARATOR).unwrap_or(0);
    let template = TemplateProcessing::builder()
        .try_single(format!("{DOCUMENT_SEPARATOR} $A"))
        .and_then(|builder| builder.try_pair(format!("{DOCUMENT_SEPARATOR} $A {DOCUMENT_SEPARATOR} $B:1")))?
        .special_tokens(vec![(DOCUMENT_SEPARATOR, id)])
        .build()?;
    tokenizer.with_post_processor(Some(template));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "the cat sat on the mat. the cat saw the hat. the end.";

    #[test]
    fn frequent_pieces_become_tokens_and_every_text_survives() {
        let tokenizer = learn_byte_bpe([TEXT, TEXT].into_iter(), 300).unwrap();
        assert!(tokenizer.vocabulary() <= 300);
        assert_eq!(tokenizer.token_id(DOCUMENT_SEPARATOR), Some(0));
        let ids = tokenizer.ids(" the cat").unwrap();
        assert_eq!(ids[0], 0, "the separator stands before every text");
        assert_eq!(ids.len(), 3, "\" the\" and \" cat\" are one token each: {ids:?}");
        for text in ["the cat", " spaces  kept\n", "Übergrößenträger 漢字 🙂", ""] {
            assert_eq!(tokenizer.decode(&tokenizer.ids(text).unwrap()[1..]), text);
        }
    }

    #[test]
    fn the_same_texts_give_the_same_tokens() {
        let encode = || learn_byte_bpe([TEXT].into_iter(), 280).unwrap().ids(TEXT).unwrap();
        assert_eq!(encode(), encode());
    }

    #[test]
    fn too_small_a_vocabulary_is_an_error() {
        assert!(learn_byte_bpe([TEXT].into_iter(), 100).is_err());
    }
}
