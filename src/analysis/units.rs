//! Tokens taken together: words, sentences, lines, or spans that a person named.

use crate::types::{Grouping, NamedSpan as Named, PromptToken};
use std::ops::Range;

/// Tokens that are shown as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its text, or the name a person gave it.
    pub name: String,
    /// Its tokens.
    pub tokens: Range<usize>,
}

/// The units of a sequence in order; together they hold every token once. Of named spans that overlap, the first counts.
#[must_use]
pub fn units(tokens: &[PromptToken], grouping: Grouping, named: &[Named]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let span = named.iter().find(|span| span.tokens.start == at && span.tokens.end <= tokens.len());
        if let Some(span) = span.filter(|span| !span.tokens.is_empty()) {
            units.push(Unit { name: span.name.clone(), tokens: span.tokens.clone() });
            at = span.tokens.end;
            continue;
        }
        let is_new = units.last().is_none_or(|unit| {
            unit.tokens.end != at || named.iter().any(|span| span.tokens == unit.tokens) || parts(tokens, at, grouping)
        });
        if is_new {
            units.push(Unit { name: tokens[at].text.clone(), tokens: at..at + 1 });
        } else if let Some(unit) = units.last_mut() {
            if tokens[at].has_blank_before() {
                unit.name.push(' ');
            }
            unit.name.push_str(tokens[at].piece());
            unit.tokens.end = at + 1;
        }
        at += 1;
    }
    units
}

/// True when a unit ends before the token at `at`.
fn parts(tokens: &[PromptToken], at: usize, grouping: Grouping) -> bool {
    let (before, here) = (&tokens[at - 1], &tokens[at]);
    let ends_line = before.text.contains('\n');
    match grouping {
        Grouping::Tokens => true,
        Grouping::Words => parts_words(before, here),
        Grouping::Sentences | Grouping::Lines if is_special(before) || is_special(here) => true,
        Grouping::Sentences => ends_line || (ends_sentence(before) && parts_words(before, here)),
        Grouping::Lines => ends_line,
    }
}

/// Words are parted by blanks, between texts that do not touch, and at marks: `don't` is one word, `cat.` is two.
fn parts_words(before: &PromptToken, here: &PromptToken) -> bool {
    if is_special(before) || is_special(here) || before.span.end != here.span.start {
        return true;
    }
    if is_bytes(before) || is_bytes(here) {
        return here.text.starts_with(char::is_whitespace) || before.text.ends_with(char::is_whitespace);
    }
    // The texts of some tokenizers carry no blanks, but their places hold them.
    if here.has_blank_before() {
        return true;
    }
    let (Some(last), Some(first)) = (before.text.chars().next_back(), here.piece().chars().next()) else {
        return false;
    };
    let is_letter = |c: char| c.is_alphanumeric() || c == '\'' || c == '’' || c == '\u{fffd}';
    first.is_whitespace() || last.is_whitespace() || is_letter(first) != is_letter(last)
}

/// What a tokenizer added, which stands in no text, or a control token that was typed or read back.
pub(super) fn is_special(token: &PromptToken) -> bool {
    let text = token.text.as_str();
    let known =
        ["<s>", "</s>", "<bos>", "<eos>", "<pad>", "<unk>", "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]", "<mask>"];
    token.span.is_empty() || known.contains(&text) || (text.starts_with("<|") && text.ends_with("|>"))
}

/// A part of a character, written as its bytes.
fn is_bytes(token: &PromptToken) -> bool {
    let digits = token.text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn ends_sentence(token: &PromptToken) -> bool {
    token.text.trim_end().ends_with(['.', '!', '?', '。', '！', '？'])
}

/// A pattern `[T, T]`, query by key, over units `[U, U]`: what a unit looks at is the mean over its tokens, what is looked at
/// is the sum (Clark et al. 2019, section 4.1). Rows that summed to 1 still do.
#[must_use]
pub fn over_units(pattern: &[f32], units: &[Unit]) -> Vec<f32> {
    let tokens = units.last().map_or(0, |unit| unit.tokens.end);
    let mut out = vec![0.0; units.len() * units.len()];
    for (unit, row) in units.iter().zip(out.chunks_exact_mut(units.len().max(1))) {
        let share = 1.0 / unit.tokens.len() as f32;
        for query in unit.tokens.clone() {
            let Some(weights) = pattern.get(query * tokens..(query + 1) * tokens) else { continue };
            for (sum, looked_at) in row.iter_mut().zip(units) {
                *sum += share * weights[looked_at.tokens.clone()].iter().sum::<f32>();
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(texts: &[&str]) -> Vec<PromptToken> {
        let mut at = 0;
        let mut token = |text: &&str| {
            let span = at..at + if text.starts_with('<') { 0 } else { text.len() };
            at = span.end;
            PromptToken { id: 0, text: (*text).into(), span }
        };
        texts.iter().map(&mut token).collect()
    }

    fn names(texts: &[&str], grouping: Grouping, named: &[Named]) -> Vec<String> {
        units(&tokens(texts), grouping, named).into_iter().map(|unit| unit.name).collect()
    }

    const TEXT: [&str; 11] = ["<s>", "The", " foo", "lish", " cat", ".", " Don", "'t", "!", "\n", "Run"];

    #[test]
    fn pieces_make_words_and_words_sentences_and_lines() {
        assert_eq!(names(&TEXT, Grouping::Tokens, &[]), TEXT);
        let words = ["<s>", "The", " foolish", " cat", ".", " Don't", "!", "\n", "Run"];
        assert_eq!(names(&TEXT, Grouping::Words, &[]), words);
        assert_eq!(names(&TEXT, Grouping::Sentences, &[]), ["<s>", "The foolish cat.", " Don't!", "\n", "Run"]);
        assert_eq!(names(&TEXT, Grouping::Lines, &[]), ["<s>", "The foolish cat. Don't!\n", "Run"]);
    }

    #[test]
    fn words_of_an_encoder_are_parted_where_their_places_hold_a_blank() {
        let token = |text: &str, span: Range<usize>| PromptToken { id: 0, text: text.into(), span };
        // `the embedding`, as WordPiece cuts it: texts carry no blanks.
        let tokens = [token("[CLS]", 0..0), token("the", 0..3), token("em", 3..6), token("##bedding", 6..13)];
        let words: Vec<_> = units(&tokens, Grouping::Words, &[]).into_iter().map(|unit| unit.name).collect();
        assert_eq!(words, ["[CLS]", "the", "embedding"]);
        let lines: Vec<_> = units(&tokens, Grouping::Lines, &[]).into_iter().map(|unit| unit.name).collect();
        assert_eq!(lines, ["[CLS]", "the embedding"]);
    }

    #[test]
    fn the_bytes_of_a_character_stay_together_and_control_tokens_stand_alone() {
        let ids = ["<|endoftext|>", "a", "<E4B8>", "<AD>", "\n"];
        let mut tokens = tokens(&ids);
        // Read back from ids, everything has a place in the text.
        tokens[0].span = 0..0;
        let mut end = 0;
        for token in &mut tokens {
            token.span = end..end + token.text.len();
            end = token.span.end;
        }
        let names = |grouping| units(&tokens, grouping, &[]).into_iter().map(|unit| unit.name).collect::<Vec<_>>();
        assert_eq!(names(Grouping::Words), ["<|endoftext|>", "a<E4B8><AD>", "\n"]);
        assert_eq!(names(Grouping::Lines), ["<|endoftext|>", "a<E4B8><AD>\n"]);
    }

    #[test]
    fn a_named_span_is_one_unit_and_the_rest_goes_on_around_it() {
        let animal = Named { name: "animal".into(), tokens: 2..5 };
        let words = ["<s>", "The", "animal", ".", " Don't", "!", "\n", "Run"];
        assert_eq!(names(&TEXT, Grouping::Words, std::slice::from_ref(&animal)), words);
        // What begins inside a unit that is named, or ends behind the text, is no unit.
        let others =
            [animal, Named { name: "late".into(), tokens: 4..6 }, Named { name: "long".into(), tokens: 9..20 }];
        assert_eq!(names(&TEXT, Grouping::Words, &others), words);
        for grouping in [Grouping::Tokens, Grouping::Words, Grouping::Sentences, Grouping::Lines] {
            let all: Vec<usize> = units(&tokens(&TEXT), grouping, &others).into_iter().flat_map(|u| u.tokens).collect();
            assert_eq!(all, (0..TEXT.len()).collect::<Vec<_>>(), "{grouping:?}");
        }
    }

    #[test]
    fn a_unit_looks_at_what_its_tokens_look_at_and_is_looked_at_as_their_sum() {
        let unit = |tokens: Range<usize>| Unit { name: String::new(), tokens };
        let pattern = [1.0, 0.0, 0.0, 0.25, 0.75, 0.0, 0.5, 0.25, 0.25];
        assert_eq!(over_units(&pattern, &[unit(0..1), unit(1..3)]), [1.0, 0.0, 0.375, 0.625]);
        assert_eq!(over_units(&pattern, &[unit(0..1), unit(1..2), unit(2..3)]), pattern);
        assert_eq!(over_units(&[], &[]), [0.0; 0]);
    }
}
