//! Texts that ask for what stood some tokens before: `>c` among letters, asked for by `?`; keys with values, `AcBf…`, asked for by `?A`.
//! Every character is a token.

use crate::load::Tokenizer;
use crate::types::{MemoryKind, Random, UserError};

/// What answers are, and in copying what does not matter.
const LETTERS: &[u8; MemoryKind::ANSWERS] = b"abcdefgh";
/// What has a value in recall.
const KEYS: &[u8; 16] = b"ABCDEFGHIJKLMNOP";
const MARK: u8 = b'>';
const ASK: u8 = b'?';
/// Characters that may stand before a question of its own, letters or keys with values.
const LEAD: usize = 4;

/// A question in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// What is read.
    pub text: String,
    /// What is right behind it.
    pub answer: char,
}

/// A question whose answer stands `distance` characters behind what it repeats, which is at least [`MemoryKind::least`] and as
/// [`MemoryKind::at_most`] gives it. Questions of one distance are equally long.
pub(crate) fn question(kind: MemoryKind, distance: usize, random: &mut Random) -> Question {
    let mut text = Vec::new();
    let answer = ask(kind, distance, LEAD, random, &mut text);
    Question { text: text.into_iter().map(char::from).collect(), answer: char::from(answer) }
}

/// Characters of a question at this distance, the answer not counted.
pub(crate) fn question_length(kind: MemoryKind, distance: usize) -> usize {
    // Before what is repeated stand its mark or key; up to the answer, `distance` characters from it on.
    let before = match kind {
        MemoryKind::Copy | MemoryKind::Recall => 1,
    };
    LEAD + before + distance
}

/// Writes a question behind what there is, and tells the answer.
fn ask(kind: MemoryKind, distance: usize, lead: usize, random: &mut Random, text: &mut Vec<u8>) -> u8 {
    let answer = letter(random);
    match kind {
        MemoryKind::Copy => {
            text.extend((0..lead).map(|_| letter(random)));
            text.extend([MARK, answer]);
            text.extend((0..distance - 2).map(|_| letter(random)));
            text.push(ASK);
        }
        MemoryKind::Recall => {
            let key = random.below(KEYS.len());
            for _ in 0..lead / 2 {
                text.extend([KEYS[random.below(KEYS.len())], letter(random)]);
            }
            text.extend([KEYS[key], answer]);
            // What comes between has other keys, so that the last value of the key is the one that is meant.
            for _ in 0..(distance - 3) / 2 {
                let other = (key + 1 + random.below(KEYS.len() - 1)) % KEYS.len();
                text.extend([KEYS[other], letter(random)]);
            }
            text.extend([ASK, KEYS[key]]);
        }
    }
    answer
}

fn letter(random: &mut Random) -> u8 {
    LETTERS[random.below(LETTERS.len())]
}

/// Questions with their answers behind each other, `length` characters, at distances up to `longest` (at least [`MemoryKind::least`]), and
/// which of them behind the first are answers: what is learned from.
pub(in crate::train) fn sequence(
    kind: MemoryKind,
    longest: usize,
    length: usize,
    random: &mut Random,
) -> (Vec<u8>, Vec<bool>) {
    let (mut text, mut answers) = (Vec::new(), Vec::new());
    while text.len() < length {
        match kind {
            MemoryKind::Copy => {
                let distance = often_short(kind.least(), longest, random);
                let lead = random.below(LEAD);
                let answer = ask(kind, distance, lead, random, &mut text);
                answers.push(text.len());
                text.push(answer);
            }
            MemoryKind::Recall => recall(longest, random, &mut text, &mut answers),
        }
    }
    text.truncate(length);
    let mut predicted = vec![false; length - 1];
    answers.into_iter().filter(|place| (1..length).contains(place)).for_each(|place| predicted[place - 1] = true);
    (text, predicted)
}

/// A number of `least..=most`, as often between 2 and 4 as between 16 and 32: who learns what is near first goes on from there.
fn often_short(least: usize, most: usize, random: &mut Random) -> usize {
    let share = random.unit();
    let (low, high) = (least as f64, most as f64 + 1.0);
    ((low * (high / low).powf(share)) as usize).clamp(least, most)
}

/// Writes keys with values behind what there is, and asks for as many as there are, each within `longest` characters of where it stood last:
/// with one question for so many pairs there is little to learn from. Any may be asked for: were it the first ones alone, their place would
/// tell as much as their key.
fn recall(longest: usize, random: &mut Random, text: &mut Vec<u8>, answers: &mut Vec<usize>) {
    let pairs = 1 + random.below((longest - 1) / 2);
    let mut stood: [Option<usize>; KEYS.len()] = [None; KEYS.len()];
    for _ in 0..pairs {
        let key = random.below(KEYS.len());
        text.extend([KEYS[key], letter(random)]);
        stood[key] = Some(text.len() - 1);
    }
    for _ in 0..pairs {
        let place = text.len() + 2;
        let near = |at: &Option<usize>| at.is_some_and(|at| place - at <= longest);
        let keys: Vec<usize> = (0..KEYS.len()).filter(|key| near(&stood[*key])).collect();
        let Some(key) = keys.get(random.below(keys.len().max(1))).copied() else { break };
        let value = text[stood[key].expect("near")];
        text.extend([ASK, KEYS[key], value]);
        answers.push(place);
        stood[key] = Some(place);
    }
}

/// Tokens of a sequence that always holds an answer.
pub(in crate::train) fn least_length(kind: MemoryKind, longest: usize) -> usize {
    question_length(kind, longest) + 1
}

/// The tokens of single characters.
pub(crate) struct MemoryTokens([Option<u32>; 128]);

impl MemoryTokens {
    /// Of a tokenizer.
    ///
    /// # Errors
    /// When a character that is needed is no token of its own.
    pub(crate) fn of(tokenizer: &Tokenizer, name: &str) -> Result<Self, UserError> {
        let mut ids = [None; 128];
        for character in LETTERS.iter().chain(KEYS).chain([&MARK, &ASK]) {
            let text = char::from(*character).to_string();
            let tokens = tokenizer.encode_whole(&text)?;
            match tokens.as_slice() {
                [token] => ids[usize::from(*character)] = Some(token.id),
                _ => return Err(no_token(name, &text)),
            }
        }
        Ok(Self(ids))
    }

    /// The token of a character.
    ///
    /// # Panics
    /// When no question holds it.
    pub(crate) fn id(&self, character: u8) -> u32 {
        self.0[usize::from(character)].expect("a character of questions")
    }
}

fn no_token(name: &str, text: &str) -> UserError {
    UserError::new(
        format!("{name} cannot be asked what it remembers."),
        format!("Questions have one token a character, and its tokenizer has none for {text:?} alone."),
        "Choose a model whose tokenizer has single letters, such as one that was trained on kind = \"memory\".",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_stands_at_its_distance_behind_what_it_repeats() {
        let mut random = Random::new(3, 0);
        for _ in 0..50 {
            for distance in [2, 3, 17, 128] {
                let Question { text, answer } = question(MemoryKind::Copy, distance, &mut random);
                let text = text.into_bytes();
                assert_eq!(text.len(), question_length(MemoryKind::Copy, distance));
                assert_eq!((char::from(text[text.len() - distance]), text[text.len() - distance - 1]), (answer, b'>'));
                assert_eq!(text.iter().filter(|c| **c == b'>').count(), 1);
            }
            for distance in [3, 5, 31, 127] {
                let Question { text, answer } = question(MemoryKind::Recall, distance, &mut random);
                let text = text.into_bytes();
                assert_eq!(text.len(), question_length(MemoryKind::Recall, distance));
                let key = text[text.len() - 1];
                let (asked, given) = (&text[..text.len() - 2], text.len() - distance);
                assert_eq!(
                    (asked.iter().rposition(|c| *c == key), char::from(asked[given])),
                    (Some(given - 1), answer)
                );
            }
        }
    }

    #[test]
    fn sequences_are_as_long_as_they_are_to_be_and_hold_answers() {
        for kind in MemoryKind::ALL {
            let length = least_length(kind, 32);
            for place in 0..200 {
                let (text, predicted) = sequence(kind, 32, length, &mut Random::new(1, place));
                assert_eq!((text.len(), predicted.len()), (length, length - 1));
                assert!(predicted.contains(&true));
                for at in (0..predicted.len()).filter(|at| predicted[*at]) {
                    assert!(LETTERS.contains(&text[at + 1]));
                }
                if kind == MemoryKind::Recall {
                    // What is right is the last value of the key, no farther than is to be learned.
                    for at in (0..predicted.len()).filter(|at| predicted[*at]) {
                        let given = (0..at - 1).rev().find(|place| text[*place] == text[at]).unwrap();
                        assert_eq!(text[given + 1], text[at + 1]);
                        assert!(at - given <= 32, "{} tokens", at - given);
                    }
                }
                assert_eq!((text, predicted), sequence(kind, 32, length, &mut Random::new(1, place)));
            }
        }
    }

    #[test]
    fn near_questions_come_as_often_as_far_ones_and_recall_asks_as_often_as_it_tells() {
        let mut random = Random::new(5, 0);
        let distances: Vec<usize> = (0..4000).map(|_| often_short(2, 32, &mut random)).collect();
        assert!(distances.iter().all(|distance| (2..=32).contains(distance)));
        let share = |low, high| distances.iter().filter(|of| (low..high).contains(*of)).count() as f64 / 4000.0;
        // Each doubling is as likely as any other: a quarter of them, but for what is cut at the end.
        assert!((share(2, 4) - share(8, 16)).abs() < 0.03 && share(16, 33) > 0.2, "{} {}", share(2, 4), share(8, 16));
        let count = |kind| {
            (0..200)
                .map(|at| sequence(kind, 32, 65, &mut Random::new(1, at)).1.iter().filter(|is| **is).count())
                .sum::<usize>()
        };
        assert!(count(MemoryKind::Recall) > 200 * 8, "{}", count(MemoryKind::Recall));
    }
}
