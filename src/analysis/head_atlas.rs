//! Every head of a report, scored.

use super::{AtlasScore, Order, Probe, Surroundings};
use crate::types::{InspectReport, Site};
use std::collections::HashMap;

/// Values of all scores, in the order of [`AtlasScore::ALL`].
type Values<T> = [T; AtlasScore::ALL.len()];

/// What was read, as far as scores depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The tokens; of a picture nothing but their number counts.
    pub ids: Vec<u32>,
    /// Who sees whom.
    pub order: Order,
    /// Ids that separate texts.
    pub separators: Vec<u32>,
    /// Where a probe begins, and how much of it is said twice.
    pub twice: Option<(usize, usize)>,
}

impl Sequence {
    /// A text, or a picture, that was read. Separators are what the tokenizer put behind it.
    #[must_use]
    pub fn of_report(report: &InspectReport, order: Order) -> Self {
        let ids = report.tokens.iter().map(|token| token.id).collect();
        Self { ids, order, separators: Surroundings::of(&report.tokens).behind, twice: None }
    }

    /// A probe.
    #[must_use]
    pub fn of_probe(probe: &Probe, order: Order) -> Self {
        let separators = probe.ids[probe.front + 2 * probe.half..].to_vec();
        Self { ids: probe.ids.clone(), order, separators, twice: Some((probe.front, probe.half)) }
    }
}

/// One head and its scores.
#[derive(Clone, Debug, PartialEq)]
pub struct AtlasHead {
    /// Layer, from 0.
    pub layer: usize,
    /// Head, from 0.
    pub head: usize,
    values: Values<Option<f32>>,
}

impl AtlasHead {
    /// The value of a score; `None` where the model or the sequence has none, NaN where the pattern holds one.
    #[must_use]
    pub fn value(&self, score: AtlasScore) -> Option<f32> {
        self.values[score.place()]
    }

    /// True where the pattern holds values that are no numbers.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        // Every weight takes part in the entropy.
        self.value(AtlasScore::Entropy).is_some_and(f32::is_nan)
    }
}

/// All captured heads of one report, by layer and head.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadAtlas {
    /// The heads.
    pub heads: Vec<AtlasHead>,
    /// Tokens T that were read.
    pub tokens: usize,
    denominators: Values<usize>,
}

impl HeadAtlas {
    /// Scores every captured head. `is_wanted` is asked after each; `None` once it says no.
    #[must_use]
    pub fn of(report: &InspectReport, sequence: &Sequence, is_wanted: &dyn Fn() -> bool) -> Option<Self> {
        let plan = Plan::new(sequence);
        let tokens = sequence.ids.len();
        let mut heads = Vec::new();
        for capture in &report.captures {
            let Site::Pattern(layer) = capture.site else { continue };
            if tokens == 0 || capture.shape.get(1..) != Some(&[tokens, tokens]) {
                continue;
            }
            for (head, pattern) in capture.values.chunks_exact(tokens * tokens).enumerate() {
                if !is_wanted() {
                    return None;
                }
                heads.push(AtlasHead { layer, head, values: plan.values(pattern) });
            }
        }
        heads.sort_by_key(|head| (head.layer, head.head));
        Some(Self { heads, tokens, denominators: plan.denominators })
    }

    /// Scores one head alone, whose pattern is `[T, T]`; `None` for a pattern of another size.
    #[must_use]
    pub fn one(sequence: &Sequence, (layer, head): (usize, usize), pattern: &[f32]) -> Option<AtlasHead> {
        let fits = pattern.len() == sequence.ids.len().pow(2) && !pattern.is_empty();
        fits.then(|| AtlasHead { layer, head, values: Plan::new(sequence).values(pattern) })
    }

    /// What the sum of a score is divided by, the same for all heads; 0 where there is nothing to average over.
    #[must_use]
    pub fn denominator(&self, score: AtlasScore) -> usize {
        self.denominators[score.place()]
    }

    /// The scores that this sequence has, in the order of columns.
    #[must_use]
    pub fn scores(&self) -> Vec<AtlasScore> {
        AtlasScore::ALL.into_iter().filter(|score| self.denominator(*score) > 0).collect()
    }

    /// One head.
    #[must_use]
    pub fn head(&self, layer: usize, head: usize) -> Option<&AtlasHead> {
        let found = self.heads.binary_search_by_key(&(layer, head), |head| (head.layer, head.head));
        found.ok().map(|at| &self.heads[at])
    }
}

/// What is the same for all heads of a sequence.
struct Plan {
    tokens: usize,
    order: Order,
    /// The latest earlier place with the same token.
    before: Vec<Option<usize>>,
    separators: Vec<usize>,
    /// First query and number of the diagonal's cells, and how many of them, at the end, are of repeated tokens.
    diagonal: Option<(usize, usize, usize)>,
    /// Key of the diagonal's first cell is its query less this.
    back: usize,
    denominators: Values<usize>,
}

impl Plan {
    fn new(sequence: &Sequence) -> Self {
        let (tokens, order) = (sequence.ids.len(), sequence.order);
        let mut last = HashMap::new();
        let before: Vec<Option<usize>> = sequence.ids.iter().enumerate().map(|(at, id)| last.insert(*id, at)).collect();
        let separators = (0..tokens).filter(|at| sequence.separators.contains(&sequence.ids[*at])).collect::<Vec<_>>();
        // What stands behind the second half belongs to no diagonal.
        let diagonal = sequence.twice.map(|(front, half)| (half - 1, front + half + 1, half));
        let back = sequence.twice.map_or(0, |(_, half)| half - 1);
        let repeated = before.iter().flatten().count();
        let denominator = |score: AtlasScore| match score {
            _ if !score.is_of(order) => 0,
            AtlasScore::Previous | AtlasScore::Sink | AtlasScore::Next => tokens.saturating_sub(1),
            AtlasScore::Duplicate | AtlasScore::Induction => repeated,
            AtlasScore::InductionDiagonal => diagonal.map_or(0, |(_, cells, _)| cells),
            AtlasScore::InductionRepeats => diagonal.map_or(0, |(_, _, repeats)| repeats),
            AtlasScore::Separator if separators.is_empty() => 0,
            AtlasScore::Own
            | AtlasScore::Entropy
            | AtlasScore::Distance
            | AtlasScore::AbsoluteDistance
            | AtlasScore::DistanceVariance
            | AtlasScore::Separator => tokens,
        };
        let denominators = AtlasScore::ALL.map(denominator);
        Self { tokens, order, before, separators, diagonal, back, denominators }
    }

    /// One pass over a pattern `[T, T]`.
    fn values(&self, pattern: &[f32]) -> Values<Option<f32>> {
        let mut sums = Sums::default();
        for (query, row) in pattern.chunks_exact(self.tokens).enumerate() {
            self.add_row(&mut sums, query, row);
        }
        let value = |score: AtlasScore| {
            let count = self.denominators[score.place()];
            (count > 0).then(|| (sums.of(score, count as f64)) as f32)
        };
        AtlasScore::ALL.map(value)
    }

    fn add_row(&self, sums: &mut Sums, query: usize, row: &[f32]) {
        sums.own += f64::from(row[query]);
        if query > 0 {
            sums.previous += f64::from(row[query - 1]);
            sums.first += f64::from(row[0]);
        }
        // A mask leaves exactly nothing, and what it hides is half of all.
        let seen = if self.order == Order::LeftToRight { &row[..=query] } else { row };
        sums.entropy += f64::from(entropy(seen));
        if self.order == Order::Patches {
            return;
        }
        let (back, ahead) = seen.split_at(query + 1);
        let (mass, mean, square) = moments(back.iter().rev());
        let (_, mean_ahead, square_ahead) = moments([0.0].iter().chain(ahead));
        sums.mass += mass + ahead.iter().map(|w| f64::from(*w)).sum::<f64>();
        sums.distance += mean - mean_ahead;
        sums.absolute += mean + mean_ahead;
        sums.square += square + square_ahead;
        if let Some(next) = ahead.first() {
            sums.next += f64::from(*next);
        }
        sums.separator += self.separators.iter().map(|at| f64::from(row[*at])).sum::<f64>();
        let mut earlier = self.before[query];
        while let Some(at) = earlier {
            sums.duplicate += f64::from(row[at]);
            sums.induction += f64::from(row[at + 1]);
            earlier = self.before[at];
        }
        if let Some((first, cells, repeats)) = self.diagonal
            && (first..first + cells).contains(&query)
        {
            let weight = f64::from(row[query - self.back]);
            sums.diagonal += weight;
            if query >= first + cells - repeats {
                sums.repeats += weight;
            }
        }
    }
}

/// What is added up over the rows of a pattern.
#[derive(Default)]
struct Sums {
    previous: f64,
    own: f64,
    first: f64,
    entropy: f64,
    /// All weights: T, but for rounding.
    mass: f64,
    distance: f64,
    absolute: f64,
    square: f64,
    duplicate: f64,
    induction: f64,
    diagonal: f64,
    repeats: f64,
    next: f64,
    separator: f64,
}

impl Sums {
    fn of(&self, score: AtlasScore, count: f64) -> f64 {
        match score {
            AtlasScore::Previous => self.previous / count,
            AtlasScore::Own => self.own / count,
            AtlasScore::Sink => self.first / count,
            AtlasScore::Entropy => self.entropy / count,
            AtlasScore::Distance => self.distance / count,
            AtlasScore::AbsoluteDistance => self.absolute / count,
            AtlasScore::DistanceVariance => {
                let mean = self.distance / count;
                // Σ A (d − m)², with the weights as they are; NaN stays NaN.
                let spread = (self.square - 2.0 * mean * self.distance + mean * mean * self.mass) / count;
                if spread < 0.0 { 0.0 } else { spread }
            }
            AtlasScore::Duplicate => self.duplicate / count,
            AtlasScore::Induction => self.induction / count,
            AtlasScore::InductionDiagonal => self.diagonal / count,
            AtlasScore::InductionRepeats => self.repeats / count,
            AtlasScore::Next => self.next / count,
            AtlasScore::Separator => self.separator / count,
        }
    }
}

/// −Σ w ln w in nats; what is exactly 0 adds nothing.
fn entropy(weights: &[f32]) -> f32 {
    weights.iter().filter(|w| **w != 0.0).map(|w| -w * w.ln()).sum()
}

/// Σ w, Σ w·d and Σ w·d², the first weight at distance 0.
fn moments<'a>(weights: impl Iterator<Item = &'a f32>) -> (f64, f64, f64) {
    weights.enumerate().fold((0.0, 0.0, 0.0), |(mass, mean, square), (distance, weight)| {
        let (weight, distance) = (f64::from(*weight), distance as f64);
        (mass + weight, mean + weight * distance, square + weight * distance * distance)
    })
}

#[cfg(test)]
#[path = "head_atlas_tests.rs"]
mod tests;
