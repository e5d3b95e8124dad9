//! Several continuations of one prompt, and how far they agree.

use crate::types::{GeneratedToken, PromptToken, StopReason};
use serde::{Deserialize, Serialize};

/// One continuation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrawnSample {
    /// The seed it was drawn with.
    pub seed: u64,
    /// Its text.
    pub text: String,
    /// Why it ended.
    pub stop: StopReason,
    /// Its tokens.
    pub tokens: Vec<GeneratedToken>,
}

/// Continuations of a prompt that was read once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SamplesReport {
    /// The prompt's tokens.
    pub prompt: Vec<PromptToken>,
    /// In the order they were drawn.
    pub samples: Vec<DrawnSample>,
}

/// How far samples agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// The text that most samples have, without white space around it; of several as frequent the one drawn first.
    pub answer: String,
    /// Samples that have it.
    pub count: usize,
    /// Samples in all.
    pub samples: usize,
    /// Different texts.
    pub distinct: usize,
    /// The first token, from 0, that is not the same in all of them; `None` where all are the same to their ends.
    pub parts_at: Option<usize>,
}

impl Agreement {
    /// The share of the most frequent text.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.count as f64 / self.samples.max(1) as f64
    }
}

impl SamplesReport {
    /// How far the samples agree; `None` without any.
    #[must_use]
    pub fn agreement(&self) -> Option<Agreement> {
        let first = self.samples.first()?;
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for sample in &self.samples {
            let text = sample.text.trim();
            match counts.iter_mut().find(|known| known.0 == text) {
                Some(known) => known.1 += 1,
                None => counts.push((text, 1)),
            }
        }
        let mut most = counts[0];
        for other in &counts[1..] {
            if other.1 > most.1 {
                most = *other;
            }
        }
        let longest = self.samples.iter().map(|sample| sample.tokens.len()).max().unwrap_or(0);
        let id = |sample: &DrawnSample, place: usize| sample.tokens.get(place).map(|token| token.id);
        let differs = |place: &usize| self.samples.iter().any(|sample| id(sample, *place) != id(first, *place));
        Some(Agreement {
            answer: most.0.to_owned(),
            count: most.1,
            samples: self.samples.len(),
            distinct: counts.len(),
            parts_at: (0..longest).find(differs),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(text: &str, ids: &[u32]) -> DrawnSample {
        let token = |&id: &u32| GeneratedToken {
            id,
            text: String::new(),
            own: String::new(),
            logprob: -1.0,
            rank: None,
            top: Vec::new(),
            drawn: Vec::new(),
        };
        let tokens = ids.iter().map(token).collect();
        DrawnSample { seed: 1, text: text.into(), stop: StopReason::MaxNewTokens, tokens }
    }

    fn agreement(samples: Vec<DrawnSample>) -> Option<Agreement> {
        SamplesReport { prompt: Vec::new(), samples }.agreement()
    }

    #[test]
    fn the_most_frequent_text_counts_without_white_space_around_it() {
        let all = vec![sample(" no", &[1]), sample(" yes", &[2]), sample("yes\n", &[2, 3]), sample(" maybe", &[4])];
        let told = agreement(all).unwrap();
        assert_eq!((told.answer.as_str(), told.count, told.samples, told.distinct), ("yes", 2, 4, 3));
        assert!((told.share() - 0.5).abs() < 1e-12);
        assert_eq!(told.parts_at, Some(0));
        let tie = agreement(vec![sample("b", &[1]), sample("a", &[2])]).unwrap();
        assert_eq!((tie.answer.as_str(), tie.count), ("b", 1), "of equally frequent ones the first");
        assert_eq!(agreement(Vec::new()), None);
    }

    #[test]
    fn samples_part_at_the_first_token_that_differs() {
        let at = |lists: &[&[u32]]| agreement(lists.iter().map(|ids| sample("", ids)).collect()).unwrap().parts_at;
        assert_eq!(at(&[&[1, 2, 3], &[1, 2, 4]]), Some(2));
        assert_eq!(at(&[&[1, 2], &[1, 2]]), None);
        assert_eq!(at(&[&[1, 2], &[1, 2, 3]]), Some(2), "one ends where another goes on");
    }
}
