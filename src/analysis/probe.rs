//! A sequence of random tokens said twice: what comes second can be known from what came first, and from nothing else.

use crate::types::{PromptToken, Random};
use std::collections::BTreeSet;

/// Tokens that are said twice, at most.
pub const PROBE_HALF: usize = 50;

/// What a tokenizer puts around every text: a beginning-of-sequence token, separators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// In front of it.
    pub front: Vec<u32>,
    /// Behind it.
    pub behind: Vec<u32>,
}

impl Surroundings {
    /// As they stand around the tokens of some text, which need not be empty. What is added stands for no bytes of it.
    #[must_use]
    pub fn of(tokens: &[PromptToken]) -> Self {
        let is_added = |token: &&PromptToken| token.span.is_empty();
        let front: Vec<u32> = tokens.iter().take_while(is_added).map(|token| token.id).collect();
        let rest = &tokens[front.len()..];
        let mut behind: Vec<u32> = rest.iter().rev().take_while(is_added).map(|token| token.id).collect();
        behind.reverse();
        Self { front, behind }
    }
}

/// Random tokens, all different, and the same once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The whole sequence, with what the tokenizer puts around it.
    pub ids: Vec<u32>,
    /// Tokens in front of the first random one.
    pub front: usize,
    /// Number S of the tokens that are said twice.
    pub half: usize,
    /// What they were drawn from.
    pub seed: u64,
}

impl Probe {
    /// The probe for a model with `vocabulary` tokens that reads `context` of them: the same for the same seed. [`PROBE_HALF`]
    /// tokens are said twice, or as many as fit. `None` where not even one does.
    #[must_use]
    pub fn new(vocabulary: usize, context: usize, around: &Surroundings, seed: u64) -> Option<Self> {
        let added: BTreeSet<u32> = around.front.iter().chain(&around.behind).copied().collect();
        let room = context.checked_sub(around.front.len() + around.behind.len())? / 2;
        let free = vocabulary.saturating_sub(added.len());
        let half = PROBE_HALF.min(room).min(free);
        if half == 0 {
            return None;
        }
        let mut random = Random::new(seed, 0);
        let (mut said, mut taken) = (Vec::with_capacity(half), added);
        while said.len() < half {
            let id = random.below(vocabulary) as u32;
            if taken.insert(id) {
                said.push(id);
            }
        }
        let ids = [&around.front, &said, &said, &around.behind].into_iter().flatten().copied().collect();
        Some(Self { ids, front: around.front.len(), half, seed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(front: &[u32], behind: &[u32]) -> Surroundings {
        Surroundings { front: front.to_vec(), behind: behind.to_vec() }
    }

    #[test]
    fn the_second_half_is_the_first_and_fits_the_context() {
        let probe = Probe::new(1000, 64, &Surroundings::default(), 3).unwrap();
        assert_eq!((probe.ids.len(), probe.half, probe.front), (64, 32, 0));
        assert_eq!(probe.ids[..32], probe.ids[32..]);
        assert_ne!(probe, Probe::new(1000, 64, &Surroundings::default(), 4).unwrap());
        assert_eq!(Probe::new(1000, 9999, &Surroundings::default(), 3).unwrap().half, PROBE_HALF);
        assert_eq!(Probe::new(10, 1, &Surroundings::default(), 1), None);
    }

    #[test]
    fn what_the_tokenizer_adds_stands_around_it_and_is_never_drawn() {
        let probe = Probe::new(12, 24, &around(&[1], &[2]), 5).unwrap();
        assert_eq!((probe.ids.len(), probe.half, probe.front), (22, 10, 1));
        assert_eq!((probe.ids[0], probe.ids[21]), (1, 2));
        let said: BTreeSet<u32> = probe.ids[1..11].iter().copied().collect();
        assert_eq!(said, [0].into_iter().chain(3..12).collect(), "all ten others, each once");
        assert_eq!(probe.ids[1..11], probe.ids[11..21]);
    }

    #[test]
    fn what_stands_for_no_text_is_around_it() {
        let token = |id, span| PromptToken { id, text: String::new(), span };
        let tokens = [token(7, 0..0), token(4, 0..1), token(7, 1..6), token(8, 6..6), token(9, 6..6)];
        assert_eq!(Surroundings::of(&tokens), around(&[7], &[8, 9]));
        assert_eq!(Surroundings::of(&tokens[1..3]), Surroundings::default());
    }
}
