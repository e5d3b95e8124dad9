//! Learns a tokenizer in which chosen words are one token each, wherever they stand and however they begin.
//!
//! Byte-level BPE as in [`crate::load::tokens::byte_bpe`], with three differences that let a small model spend its vocabulary on words:
//! chosen words are tokens of their own without the merges that would lead to them (`ignore_merges`); a capital letter is
//! written as a shift mark (the control character U+000E, "shift out") and the small letter; and a line begins as a word
//! after a space does. `Apple`, `apple` and ` apple` at the beginning, within and at the end of a line thus share one token.
//! All of it is undone by the decoder, byte for byte, in this program and in transformers; only a shift mark that stood in the
//! text itself is taken for one of these.

use crate::load::error::LoadError;
use crate::load::tokens::byte_bpe::{SMALLEST_VOCABULARY, byte_level_trainer, separator_before_every_text};
use crate::load::tokens::tokenizer::Tokenizer;
use std::collections::BTreeSet;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::sequence::Sequence as DecoderSequence;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::prepend::Prepend;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::{NormalizerWrapper, Sequence as NormalizerSequence};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizerSequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;
use tokenizers::{Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

/// Written before a small letter that stands for a capital one.
const SHIFT: &str = "\u{E}";
/// Letters whose capital form is folded: those that English, French, German and Spanish begin words with.
const FOLDED: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZÀÁÂÄÇÉÈÊÍÑÓÖÚÜ";

/// Learns at most `vocabulary` tokens: bytes, the pieces of `texts`, and `words`, each with the space before it. A word of
/// several parts (`light blue`, `don't`) becomes as many tokens. The same input gives the same tokenizer.
///
/// # Errors
/// When the words leave no room for bytes and pieces, or the tokenizers crate refuses.
pub fn learn_word_bpe(
    texts: impl Iterator<Item = impl AsRef<str> + Send> + Send,
    words: &[String],
    vocabulary: usize,
) -> Result<Tokenizer, LoadError> {
    let refused = |error: tokenizers::Error| LoadError::Encode { problem: error.to_string() };
    let (normalizer, splitter) = (normalizer().map_err(refused)?, splitter().map_err(refused)?);
    let whole = spelled(words, &normalizer, &splitter).map_err(refused)?;
    let Some(pieces) = vocabulary.checked_sub(whole.len()).filter(|left| *left >= SMALLEST_VOCABULARY) else {
        let problem =
            format!("{} words and {SMALLEST_VOCABULARY} bytes do not fit in {vocabulary} tokens", whole.len());
        return Err(LoadError::Encode { problem });
    };
    let mut tokenizer = tokenizers::Tokenizer::new(BPE::default());
    tokenizer.with_normalizer(Some(normalizer)).map_err(refused)?;
    tokenizer.with_pre_tokenizer(Some(splitter));
    tokenizer.with_decoder(Some(decoder().map_err(refused)?));
    let mut trainer = TrainerWrapper::BpeTrainer(byte_level_trainer(pieces));
    tokenizer.train(&mut trainer, texts).map_err(refused)?;
    separator_before_every_text(&mut tokenizer).map_err(refused)?;
    Tokenizer::new(with_words(&tokenizer, whole)?).map_err(refused)
}

/// The learned tokenizer with more tokens behind those it has, which no merge leads to.
fn with_words(learned: &tokenizers::Tokenizer, words: BTreeSet<String>) -> Result<tokenizers::Tokenizer, LoadError> {
    let failed = |problem: String| LoadError::Encode { problem };
    let mut json = serde_json::to_value(learned).map_err(|error| failed(error.to_string()))?;
    json["model"]["ignore_merges"] = true.into();
    let mut next = learned.get_vocab_size(true);
    let vocabulary = json["model"]["vocab"].as_object_mut();
    let vocabulary = vocabulary.ok_or_else(|| failed("the tokenizer has no vocabulary".to_owned()))?;
    for word in words {
        if !vocabulary.contains_key(&word) {
            vocabulary.insert(word, next.into());
            next += 1;
        }
    }
    tokenizers::Tokenizer::from_bytes(json.to_string()).map_err(|error| failed(error.to_string()))
}

/// The words as the vocabulary spells them.
fn spelled(
    words: &[String],
    normalizer: &NormalizerWrapper,
    splitter: &PreTokenizerWrapper,
) -> tokenizers::Result<BTreeSet<String>> {
    let mut spelled = BTreeSet::new();
    for word in words {
        let mut text = PreTokenizedString::from(word.as_str());
        text.normalize(|text| normalizer.normalize(text))?;
        splitter.pre_tokenize(&mut text)?;
        let splits = text.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
        spelled.extend(splits.into_iter().map(|(part, ..)| part.to_owned()));
    }
    Ok(spelled)
}

/// Capital letter, small letter.
fn pairs() -> impl Iterator<Item = (char, String)> {
    FOLDED.chars().map(|capital| (capital, capital.to_lowercase().collect()))
}

fn normalizer() -> tokenizers::Result<NormalizerWrapper> {
    let mut steps: Vec<NormalizerWrapper> = vec![Prepend::new(" ".to_owned()).into()];
    // A space after every line break that something follows on the same line.
    steps.push(Replace::new(ReplacePattern::Regex(r"\n(?=[^\n])".to_owned()), "\n ")?.into());
    for (capital, small) in pairs() {
        steps.push(Replace::new(format!(" {capital}"), format!("{SHIFT} {small}"))?.into());
        steps.push(Replace::new(capital.to_string(), format!("{SHIFT}{small}"))?.into());
    }
    Ok(NormalizerSequence::new(steps).into())
}

fn splitter() -> tokenizers::Result<PreTokenizerWrapper> {
    let shift = Split::new(SplitPattern::String(SHIFT.to_owned()), SplitDelimiterBehavior::Isolated, false)?;
    Ok(PreTokenizerSequence::new(vec![shift.into(), ByteLevel::new(false, true, true).into()]).into())
}

fn decoder() -> tokenizers::Result<DecoderWrapper> {
    let mut steps: Vec<DecoderWrapper> = vec![DecoderWrapper::ByteLevel(ByteLevel::default())];
    for (capital, small) in pairs() {
        steps.push(Replace::new(format!("{SHIFT} {small}"), format!(" {capital}"))?.into());
        steps.push(Replace::new(format!("{SHIFT}{small}"), capital.to_string())?.into());
    }
    steps.push(Replace::new("\n ", "\n")?.into());
    steps.push(Strip::new(' ', 1, 0).into());
    Ok(DecoderSequence::new(steps).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tokens::byte_bpe::DOCUMENT_SEPARATOR;
    use proptest::prelude::*;
    use std::sync::{Arc, LazyLock};

    static TOKENIZER: LazyLock<Arc<Tokenizer>> = LazyLock::new(|| {
        let text =
            "The cat sat on the mat. \"One cat,\" said Tom.\nthe dog saw the cat\n\nThe End. the the cat the dog";
        let words = ["apple", "Äpfel", "light blue", "Paris", "cat"].map(str::to_owned);
        Arc::new(learn_word_bpe([text, text].into_iter(), &words, 400).unwrap())
    });

    fn tokens(text: &str) -> Vec<String> {
        TOKENIZER.encode(text).unwrap()[1..].iter().map(|token| token.text.clone()).collect()
    }

    #[test]
    fn a_word_is_one_token_wherever_it_stands() {
        let ids = TOKENIZER.ids("apple = apple\napple").unwrap();
        assert_eq!(ids[0], TOKENIZER.token_id(DOCUMENT_SEPARATOR).unwrap());
        let apple = ids[1];
        assert_eq!(ids.iter().filter(|id| **id == apple).count(), 3, "{ids:?}");
        assert_eq!(TOKENIZER.ids("Apple").unwrap()[2], apple, "a capital is a shift and the same word");
        assert_eq!(TOKENIZER.ids("light blue Äpfel Paris").unwrap().len(), 1 + 2 + 2 + 2);
    }

    #[test]
    fn a_continuation_has_no_space_of_its_own() {
        let whole = TOKENIZER.ids("apple = cat\n").unwrap();
        let mut parts = TOKENIZER.ids("apple =").unwrap();
        parts.extend(TOKENIZER.continuation_ids(" cat\n").unwrap());
        assert_eq!(parts, whole);
    }

    #[test]
    fn spans_share_the_text_out() {
        let text = "cat\nApple the\n\ncat";
        let tokens = TOKENIZER.encode(text).unwrap();
        let spans: Vec<&str> = tokens[1..].iter().map(|token| &text[token.span.clone()]).collect();
        assert_eq!(spans, ["cat", "\n", "A", "pple", " the", "\n\n", "cat"]);
    }

    #[test]
    fn tokens_show_their_space_and_streaming_waits_for_the_letter_behind_a_shift() {
        assert_eq!(tokens("the Cat"), [" the", "\u{E}", " cat"]);
        let mut stream = TOKENIZER.stream(&[]);
        let ids = TOKENIZER.ids("The Cat").unwrap();
        let pieces: Vec<String> = ids[1..].iter().map(|&id| stream.push(id)).collect();
        assert_eq!(pieces.concat() + &stream.finish(), " The Cat");
        assert!(pieces.iter().all(|piece| !piece.contains('\u{E}')), "{pieces:?}");
    }

    proptest! {
        #[test]
        fn every_text_survives(text in "([ A-Za-zÄÖÜäöüÉéŒß\n\t.,='\"0-9]|cat|Apple|\u{1F600}|\n ){0,40}") {
            prop_assume!(!text.contains('\u{E}'));
            let ids = TOKENIZER.ids(&text).unwrap();
            prop_assert_eq!(TOKENIZER.decode(&ids[1..]), text.clone());
            let mut stream = TOKENIZER.stream(&[]);
            let mut streamed: String = ids[1..].iter().map(|&id| stream.push(id)).collect();
            streamed += &stream.finish();
            // As the continuation of an earlier text; an empty one gets no space before it.
            let expected = if text.is_empty() { String::new() } else { format!(" {text}") };
            prop_assert_eq!(streamed, expected);
        }
    }
}
