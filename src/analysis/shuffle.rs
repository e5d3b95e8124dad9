//! Words in another order: which of them move, and where. Tokens are moved, nothing is split anew.

use super::atlas_score::Order;
use super::units::{Unit, is_special, units};
use crate::types::{Grouping, PromptToken, Random};
use std::ops::Range;

/// What the order of words is drawn for, apart from all else that a seed is used for.
const STREAM: u64 = 0x5f0d;
/// Letters from which on a word is likely to carry content, unless it is one of those that hold sentences together.
const LETTERS: usize = 3;
const BETWEEN: [&str; 43] = [
    "about", "across", "after", "all", "and", "any", "are", "but", "can", "did", "for", "from", "had", "has", "have",
    "her", "him", "his", "into", "its", "near", "nor", "not", "our", "out", "over", "she", "than", "that", "the",
    "their", "then", "they", "this", "through", "under", "was", "were", "will", "with", "would", "you", "your",
];
/// Draws until one differs from the text.
const TRIES: u64 = 16;

/// Which token stands in each place once words are shuffled: the same for the same seed, and not the text as written where there
/// is another order. The tokens of a word stay together. What a tokenizer put around the text stays, and of a text that is
/// read from left to right the last word, behind which the model is asked what comes next.
#[must_use]
pub fn shuffled(tokens: &[PromptToken], order: Order, seed: u64) -> Vec<usize> {
    let words = units(tokens, Grouping::Words, &[]);
    let moving = moving(tokens, &words, order);
    let as_written: Vec<usize> = (0..tokens.len()).collect();
    let ids = |places: &[usize]| places.iter().map(|place| tokens[*place].id).collect::<Vec<_>>();
    let written = ids(&as_written);
    for draw in 0..TRIES {
        let mut drawn = Random::new(seed, STREAM + draw).permutation(moving.len()).into_iter();
        let places = (0..words.len()).flat_map(|word| {
            let from = if moving.contains(&word) { drawn.next().map(|at| moving.start + at as usize) } else { None };
            words[from.unwrap_or(word)].tokens.clone()
        });
        let places: Vec<usize> = places.collect();
        if ids(&places) != written {
            return places;
        }
    }
    as_written
}

/// The token to follow: the mask of a text for an encoder, else its last word of content; of a text that is read from left to
/// right its last token.
#[must_use]
pub fn followed(tokens: &[PromptToken], order: Order) -> usize {
    let last = tokens.len().saturating_sub(1);
    if order == Order::LeftToRight {
        return last;
    }
    let mask = tokens.iter().position(is_mask);
    mask.or_else(|| contents(tokens, tokens.len()).last().copied()).unwrap_or(last)
}

/// Two tokens to swap: the last ones of the last two words of content before a token, or of any words, or any two tokens. `None`
/// where there are not two tokens.
#[must_use]
pub fn content_words(tokens: &[PromptToken], before: usize) -> Option<[usize; 2]> {
    let last_two = |found: &[usize]| found.split_last_chunk::<2>().map(|(_, two)| *two);
    let own =
        |end: usize| tokens.iter().enumerate().take(end).filter(|(_, token)| !is_special(token)).map(|(at, _)| at);
    last_two(&contents(tokens, before))
        .or_else(|| last_two(&contents(tokens, tokens.len())))
        .or_else(|| last_two(&own(before).collect::<Vec<_>>()))
        .or_else(|| last_two(&own(tokens.len()).collect::<Vec<_>>()))
        .or_else(|| (tokens.len() > 1).then(|| [tokens.len() - 2, tokens.len() - 1]))
}

/// The last tokens, but for endings such as `'s`, of words that end before a token and are likely to carry content.
fn contents(tokens: &[PromptToken], before: usize) -> Vec<usize> {
    let words = units(tokens, Grouping::Words, &[]);
    let is_content = |word: &&Unit| {
        let letters = word.name.chars().filter(|c| c.is_alphanumeric()).count();
        // Scripts without blanks write a word in fewer letters.
        let enough = if word.name.is_ascii() { LETTERS } else { 1 };
        let is_between = BETWEEN.contains(&word.name.trim().to_lowercase().as_str());
        word.tokens.end <= before && letters >= enough && !is_between && !is_special(&tokens[word.tokens.start])
    };
    // The ending of a genitive or a contraction stands for less than what it ends.
    let begins = |token: &usize| tokens[*token].piece().trim_start().starts_with(char::is_alphanumeric);
    let last = |word: &Unit| word.tokens.clone().rev().find(begins).unwrap_or(word.tokens.end - 1);
    words.iter().filter(is_content).map(last).collect()
}

/// The words that can move.
fn moving(tokens: &[PromptToken], words: &[Unit], order: Order) -> Range<usize> {
    let stays = |word: &&Unit| {
        let token = &tokens[word.tokens.start];
        is_special(token) && !is_mask(token)
    };
    let front = words.iter().take_while(stays).count();
    let behind = words[front..].iter().rev().take_while(stays).count();
    let end = words.len() - behind;
    // A text that ends with a special token is asked what comes behind that.
    let is_asked = order == Order::LeftToRight && behind == 0;
    front..end.saturating_sub(usize::from(is_asked)).max(front)
}

fn is_mask(token: &PromptToken) -> bool {
    token.text == "[MASK]" || token.text.trim() == "<mask>"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens in the place of their texts; those in brackets were added.
    fn tokens(texts: &[&str]) -> Vec<PromptToken> {
        let mut end = 0;
        let token = |(id, text): (usize, &&str)| {
            let is_added = ["[CLS]", "[SEP]", "<s>"].contains(text);
            let span = end..end + if is_added { 0 } else { text.len() };
            end = span.end;
            PromptToken { id: id as u32, text: (*text).into(), span }
        };
        texts.iter().enumerate().map(token).collect()
    }

    fn said(tokens: &[PromptToken], order: &[usize]) -> String {
        order.iter().map(|place| tokens[*place].text.as_str()).collect()
    }

    const TEXT: [&str; 8] = ["<s>", "The", " foo", "lish", " cat", " chased", " a", " dog"];

    #[test]
    fn words_move_whole_and_what_is_asked_about_stays() {
        let tokens = tokens(&TEXT);
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let order = shuffled(&tokens, Order::LeftToRight, seed);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..8).collect::<Vec<_>>(), "every token once");
            assert_eq!((order[0], order[7]), (0, 7), "the ends stay");
            let foo = order.iter().position(|token| *token == 2).unwrap();
            assert_eq!(order[foo + 1], 3, "a word stays together: {}", said(&tokens, &order));
            assert_ne!(order, (0..8).collect::<Vec<_>>(), "seed {seed} changes something");
            seen.insert(order);
        }
        assert!(seen.len() > 80, "{} of 119 orders in 200 draws", seen.len());
        assert_eq!(shuffled(&tokens, Order::LeftToRight, 7), shuffled(&tokens, Order::LeftToRight, 7));
    }

    #[test]
    fn between_its_special_tokens_all_words_of_an_encoder_move() {
        let tokens = tokens(&["[CLS]", "we", " sat", " by", "[MASK]", "[SEP]"]);
        let orders: Vec<_> = (0..100).map(|seed| shuffled(&tokens, Order::BothWays, seed)).collect();
        assert!(orders.iter().all(|order| (order[0], order[5]) == (0, 5)));
        for place in 1..5 {
            let there: std::collections::BTreeSet<_> = orders.iter().map(|order| order[place]).collect();
            assert_eq!(there, (1..5).collect(), "the last word, a mask, moves, too");
        }
    }

    #[test]
    fn words_from_right_to_left_and_pieces_of_an_emoji_are_moved_whole() {
        let tokens = tokens(&["של", "ום", " עולם", " <F09F>", "<98>", "<80>", " وداعا", " end"]);
        for seed in 0..50 {
            let order = shuffled(&tokens, Order::LeftToRight, seed);
            for (first, rest) in [(0, &[1][..]), (3, &[4, 5])] {
                let place = order.iter().position(|token| *token == first).unwrap();
                assert_eq!(&order[place + 1..][..rest.len()], rest, "{order:?}");
            }
        }
    }

    #[test]
    fn there_is_not_always_another_order() {
        for texts in [&["<s>"][..], &["one"], &["one", " two"], &["[CLS]", "[SEP]"], &[]] {
            let tokens = tokens(texts);
            let same: Vec<usize> = (0..texts.len()).collect();
            assert_eq!(shuffled(&tokens, Order::LeftToRight, 3), same, "{texts:?}");
        }
        // Two words that are the same token make no other text.
        let mut twins = tokens(&["go", " go", " on"]);
        twins[1].id = 0;
        assert_eq!(shuffled(&twins, Order::LeftToRight, 3), [0, 1, 2]);
    }

    #[test]
    fn words_of_content_are_proposed() {
        let text = tokens(&TEXT);
        assert_eq!(content_words(&text, 7), Some([4, 5]), "cat and chased");
        assert_eq!(content_words(&text, 5), Some([3, 4]), "foolish at its last token");
        assert_eq!(content_words(&text, 4), Some([5, 7]), "where too few stand before it, those of the whole text");
        let genitive = tokens(&["the", " cat", "'s", " bow", "l", " is"]);
        assert_eq!(content_words(&genitive, 5), Some([1, 4]), "cat's at cat, and a bowl at its last token");
        let short = tokens(&["<s>", "a", " b", " c"]);
        assert_eq!(content_words(&short, 3), Some([1, 2]));
        assert_eq!(content_words(&short[..1], 0), None);
        assert_eq!(content_words(&tokens(&["[CLS]", "[SEP]"]), 1), Some([0, 1]));
    }

    #[test]
    fn a_mask_is_followed_before_all_else() {
        assert_eq!(followed(&tokens(&TEXT), Order::LeftToRight), 7);
        assert_eq!(followed(&tokens(&["[CLS]", "The", "[MASK]", " barks", "[SEP]"]), Order::BothWays), 2);
        assert_eq!(followed(&tokens(&["[CLS]", "The", " dog", " barks", ".", "[SEP]"]), Order::BothWays), 3);
        assert_eq!(followed(&tokens(&["[CLS]", "[SEP]"]), Order::BothWays), 1);
    }
}
