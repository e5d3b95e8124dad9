//! Learns a tokenizer of BERT's kind: WordPiece (Wu et al. 2016) over lower-case words.
//!
//! Pieces are learned by joining the pair that comes most often, as Hugging Face's trainer does; BERT's own trainer was never published.

use crate::load::error::LoadError;
use crate::load::tokens::json_settings::bert_normalizer;
use crate::load::tokens::special_tokens::TokenizerSettings;
use crate::load::tokens::tokenizer::Tokenizer;
use crate::load::tokens::tokenizer_files::bert_tokenizer;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{AddedToken, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

/// The special tokens, in the order of BERT's vocabularies; their ids are 0 to 4.
pub(crate) const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
/// What stands before a piece that goes on with a word.
const GOES_ON: &str = "##";
/// Fewer tokens would be hardly more than the letters.
pub(crate) const SMALLEST_VOCABULARY: usize = 64;
/// A piece that was seen only once teaches nothing.
const LEAST_FREQUENCY: u64 = 2;
/// Characters that have a token, the most frequent ones. A word with another is unknown.
const MOST_CHARACTERS: usize = 1000;
/// Longer words are unknown to BERT's tokenizer.
const LONGEST_WORD: usize = 100;
/// Texts whose words are counted at a time, by all threads.
const PORTION: usize = 64;

/// Learns at most `vocabulary` tokens from texts: fewer where they have not so many pieces that come twice. The same texts give the same
/// tokenizer.
///
/// # Errors
/// When `vocabulary` is smaller than [`SMALLEST_VOCABULARY`], the texts have more characters than it has tokens, they hold no word, or the
/// tokenizers crate refuses.
pub(crate) fn learn_word_piece(
    mut texts: impl Iterator<Item = impl AsRef<str> + Send + Sync>,
    vocabulary: usize,
) -> Result<Tokenizer, LoadError> {
    let failed = |problem: String| LoadError::Learn { problem };
    if vocabulary < SMALLEST_VOCABULARY {
        return Err(failed(format!("a vocabulary of words and pieces has at least {SMALLEST_VOCABULARY} tokens")));
    }
    let settings = TokenizerSettings::read(Path::new(""))?;
    let normalizer = bert_normalizer(&settings)?;
    let mut words: BTreeMap<String, u64> = BTreeMap::new();
    loop {
        let portion: Vec<_> = texts.by_ref().take(PORTION).collect();
        if portion.is_empty() {
            break;
        }
        let counted: Result<Vec<_>, _> = portion.par_iter().map(|text| count(text.as_ref(), &normalizer)).collect();
        for (word, times) in counted.map_err(|error| failed(error.to_string()))?.into_iter().flatten() {
            *words.entry(word).or_default() += times;
        }
    }
    let characters = characters(&words);
    let is_known = |word: &str| word.chars().all(|letter| characters.contains_key(&letter));
    words.retain(|word, _| is_known(word));
    if words.is_empty() {
        return Err(failed("the text holds no word to learn a vocabulary from".to_owned()));
    }
    // The trainer numbers pieces that go on with a word in the order of a hash table, which differs from run to run, and of two pairs that
    // come equally often the numbers decide. So they are given to it in order.
    let going_on = words.keys().flat_map(|word| word.chars().skip(1)).collect::<std::collections::BTreeSet<_>>();
    let fixed = SPECIAL.iter().map(|token| (*token).to_owned()).chain(going_on.iter().map(|c| format!("{GOES_ON}{c}")));
    let fixed: Vec<AddedToken> = fixed.map(|token| AddedToken::from(token, true)).collect();
    let letters = fixed.len() + characters.len();
    if letters > vocabulary {
        return Err(failed(format!(
            "the text's letters alone take {letters} tokens, and the vocabulary has {vocabulary}"
        )));
    }
    let trainer = BpeTrainer::builder()
        .vocab_size(vocabulary)
        .min_frequency(LEAST_FREQUENCY)
        .show_progress(false)
        .continuing_subword_prefix(GOES_ON.to_owned())
        .special_tokens(fixed)
        .build();
    let mut learned = BPE::default();
    let words = words.into_iter().map(|(word, times)| (word.into(), times)).collect();
    trainer.do_train(&words, &mut learned).map_err(|error| failed(error.to_string()))?;
    bert_tokenizer(&settings, learned.get_vocab(), Path::new("tokenizer.json"))
}

/// How often each word of a text comes.
fn count(text: &str, normalizer: &impl Normalizer) -> tokenizers::Result<HashMap<String, u64>> {
    let mut split = PreTokenizedString::from(text);
    split.normalize(|piece| normalizer.normalize(piece))?;
    BertPreTokenizer.pre_tokenize(&mut split)?;
    let mut counts: HashMap<String, u64> = HashMap::new();
    for (word, _, _) in split.get_splits(OffsetReferential::Original, OffsetType::Byte) {
        if word.is_empty() || word.chars().nth(LONGEST_WORD).is_some() {
            continue;
        }
        match counts.get_mut(word) {
            Some(times) => *times += 1,
            None => drop(counts.insert(word.to_owned(), 1)),
        }
    }
    Ok(counts)
}

/// The most frequent characters, with their counts.
fn characters(words: &BTreeMap<String, u64>) -> BTreeMap<char, u64> {
    let mut counts: BTreeMap<char, u64> = BTreeMap::new();
    for (word, times) in words {
        word.chars().for_each(|letter| *counts.entry(letter).or_default() += times);
    }
    let mut all: Vec<(char, u64)> = counts.into_iter().collect();
    all.sort_by_key(|(letter, times)| (std::cmp::Reverse(*times), *letter));
    all.into_iter().take(MOST_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "The cat sat on the mat. The cat saw the hat! Sitting, the cats sang: a song, singing.";

    fn learn(texts: &[&str], vocabulary: usize) -> Tokenizer {
        learn_word_piece(texts.iter(), vocabulary).unwrap()
    }

    #[test]
    fn frequent_words_become_tokens_and_special_ones_come_first() {
        let tokenizer = learn(&[TEXT, TEXT], 120);
        assert!(tokenizer.vocabulary() <= 120);
        for (id, token) in SPECIAL.into_iter().enumerate() {
            assert_eq!(tokenizer.token_id(token), Some(id as u32), "{token}");
        }
        let ids = tokenizer.ids("THE cat.").unwrap();
        assert_eq!((ids.len(), ids[0], ids[4]), (5, 2, 3), "[CLS] the cat . [SEP]: {ids:?}");
        assert_eq!(tokenizer.ids("漢").unwrap()[1], 1, "what has no token is unknown");
        assert!(tokenizer.token_id("##ing").is_some());
    }

    #[test]
    fn the_same_texts_give_the_same_tokens_whatever_the_order_of_a_hash_table() {
        let texts: Vec<String> = (0..200).map(|i| format!("word{} {} ab{}ba", i % 17, i * i % 91, i % 5)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let first = learn(&texts, 150).to_json().unwrap();
        (0..3).for_each(|_| assert_eq!(learn(&texts, 150).to_json().unwrap(), first));
    }

    #[test]
    fn what_cannot_be_learned_from_is_told() {
        let problem = |texts: &[&str], vocabulary| match learn_word_piece(texts.iter(), vocabulary) {
            Err(LoadError::Learn { problem }) => problem,
            other => panic!("{other:?}"),
        };
        assert!(problem(&[TEXT], 10).contains("at least 64"));
        assert!(problem(&["   \n"], 100).contains("no word"));
        let many: String = (0..200_u32).filter_map(|i| char::from_u32(0x4E00 + i)).collect();
        assert!(problem(&[&many], 100).contains("letters alone"));
        // One word over and over is a vocabulary, however small.
        assert!(learn(&["hello hello hello"], 1000).vocabulary() < 20);
    }
}
