//! Rules that hold for any word: what is learned from them must be inferred from the examples, for there is nothing to know.

use super::document::{Document, Style};
use super::mixture::WITH_INSTRUCTION;
use super::words::Supply;
use crate::nn::Random;

/// One rule, drawn for a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The word at a place among several.
    Choose {
        of: usize,
        place: usize,
    },
    Copy,
    Double,
    Capitalise,
    /// Several words backwards.
    Reverse {
        of: usize,
    },
    /// The word with another one, always the same, behind it or before it.
    Beside {
        before: bool,
    },
}

impl Rule {
    /// What a document about it may begin with: the words of the shipped tables, where one has this rule.
    fn instruction(self) -> &'static str {
        match self {
            Self::Choose { of: 3, place: 1 } => "Say the middle of the three words.",
            Self::Choose { of: 3, place: 0 } => "Say the first of the three words.",
            Self::Choose { of: 3, .. } => "Say the last of the three words.",
            Self::Choose { place: 0, .. } => "Say the first of the words.",
            Self::Choose { of, place } if place + 1 == of => "Say the last of the words.",
            Self::Copy => "Say the same word again.",
            Self::Double => "Say the word twice.",
            Self::Capitalise => "Write the word with a capital letter.",
            Self::Reverse { of: 2 } => "Swap the two words.",
            Self::Reverse { .. } => "Say the words backwards.",
            Self::Choose { .. } | Self::Beside { .. } => "",
        }
    }
}

/// Examples of one rule that does not choose.
pub(super) fn write(style: &Style, examples: usize, words: Supply<'_>, random: &mut Random) -> Document {
    let rule = match random.below(6) {
        0 => Rule::Copy,
        1 => Rule::Double,
        2 => Rule::Capitalise,
        3 | 4 => Rule::Reverse { of: 2 + random.below(2) },
        _ => Rule::Beside { before: random.below(2) == 0 },
    };
    write_rule(rule, style, examples, words, random)
}

/// Examples of choosing the word at one place.
pub(super) fn write_choosing(style: &Style, examples: usize, words: Supply<'_>, random: &mut Random) -> Document {
    let of = if random.below(3) > 0 { 3 } else { 2 + random.below(3) };
    let rule = Rule::Choose { of, place: random.below(of) };
    write_rule(rule, style, examples, words, random)
}

fn write_rule(rule: Rule, style: &Style, examples: usize, words: Supply<'_>, random: &mut Random) -> Document {
    let mut document = Document::new(if random.uniform() < WITH_INSTRUCTION { rule.instruction() } else { "" });
    let joint = if random.below(3) == 0 { " " } else { ", " };
    let mark = words.any(random);
    for _ in 0..examples {
        let (input, output) = apply(rule, joint, &mark, words, random);
        document.push(style, &input, &output, true);
    }
    document
}

fn apply(rule: Rule, joint: &str, mark: &str, words: Supply<'_>, random: &mut Random) -> (String, String) {
    let mut some = |count: usize| -> Vec<String> { (0..count).map(|_| words.any(random)).collect() };
    match rule {
        Rule::Choose { of, place } => {
            let list = some(of);
            (list.join(joint), list[place].clone())
        }
        Rule::Copy => {
            let word = some(1).remove(0);
            (word.clone(), word)
        }
        Rule::Double => {
            let word = some(1).remove(0);
            (word.clone(), format!("{word} {word}"))
        }
        Rule::Capitalise => {
            let word = some(1).remove(0);
            let mut letters = word.chars();
            let first = letters.next().map_or(String::new(), |first| first.to_uppercase().collect());
            (word.clone(), first + letters.as_str())
        }
        Rule::Reverse { of } => {
            let mut list = some(of);
            let input = list.join(" ");
            list.reverse();
            (input, list.join(" "))
        }
        Rule::Beside { before } => {
            let word = some(1).remove(0);
            let output = if before { format!("{mark} {word}") } else { format!("{word} {mark}") };
            (word, output)
        }
    }
}

/// Pairs of random words, each several times: an answer is learned once its pair has stood before.
pub(super) fn write_lookup(style: &Style, examples: usize, words: Supply<'_>, random: &mut Random) -> Document {
    let mut document = Document::default();
    let pairs: Vec<[String; 2]> = (0..2 + random.below(4)).map(|_| [words.any(random), words.any(random)]).collect();
    let mut seen = vec![false; pairs.len()];
    for _ in 0..examples {
        let i = random.below(pairs.len());
        let [input, output] = &pairs[i];
        document.push(style, input, output, seen[i]);
        seen[i] = true;
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Vec<String> {
        ["sun", "moon", "tree", "red", "apple", "dog"].map(str::to_owned).to_vec()
    }

    #[test]
    fn rules_do_what_they_say() {
        let words = words();
        let (words, mut random) = (Supply::Words(&words), Random::new(2, 0));
        for _ in 0..50 {
            let (input, output) = apply(Rule::Choose { of: 3, place: 2 }, ", ", "x", words, &mut random);
            assert_eq!(input.split(", ").last().unwrap(), output);
            let (input, output) = apply(Rule::Reverse { of: 2 }, ", ", "x", words, &mut random);
            let (a, b) = input.split_once(' ').unwrap();
            assert_eq!(output, format!("{b} {a}"));
            let (input, output) = apply(Rule::Capitalise, ", ", "x", words, &mut random);
            assert!(output.to_lowercase() == input && output != input);
        }
    }

    #[test]
    fn an_instruction_says_the_rule() {
        let style = Style { template: "{input} = {output}".into(), separator: "\n".into() };
        let words = words();
        let mut random = Random::new(4, 0);
        let mut found = 0;
        for _ in 0..400 {
            let document = write_choosing(&style, 6, Supply::Words(&words), &mut random);
            let Some((instruction, examples)) = document.text.split_once(".\n") else { continue };
            found += 1;
            for line in examples.lines() {
                let (list, chosen) = line.split_once(" = ").unwrap();
                let list: Vec<&str> = list.split([',', ' ']).filter(|word| !word.is_empty()).collect();
                let expected = match instruction.split(' ').nth(2).unwrap() {
                    "first" => list[0],
                    "last" => list[list.len() - 1],
                    _ => list[1],
                };
                assert_eq!(chosen, expected, "{instruction}");
            }
        }
        assert!((80..180).contains(&found), "{found} of 400 begin with an instruction");
    }

    #[test]
    fn only_pairs_seen_before_are_learned() {
        let style = Style { template: "{input} = {output}".into(), separator: "\n".into() };
        let document = write_lookup(&style, 30, Supply::Words(&words()), &mut Random::new(3, 0));
        let lines: Vec<&str> = document.text.lines().collect();
        let distinct = lines.iter().map(|line| line.split(" = ").next()).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(lines.len(), 30);
        assert!(document.learned.len() <= 30 - distinct.len().min(2) && document.learned.len() >= 20);
        for range in &document.learned {
            let line_start = document.text[..range.start].rfind('\n').map_or(0, |at| at + 1);
            let line = &document.text[line_start..range.end - 1];
            assert!(document.text[..line_start].lines().any(|earlier| earlier == line), "{line:?} is new");
        }
    }
}
