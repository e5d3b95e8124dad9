//! Which rows of a table become examples, in which order.

use crate::types::{FewShotPrompt, Random, Shot, TaskTable};
use serde::{Deserialize, Serialize};

/// Stream of random numbers of a seed for the order of labels; the order of the rows is stream 0.
const LABELS: u64 = 3;

/// How examples are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Draw {
    /// Rows as they fall: a few examples may all have the same label. What was drawn before there was a choice.
    #[default]
    Plain,
    /// In rounds, each of one row of every label: no label is left out where there are as many examples as labels, and the
    /// numbers of any two labels differ by one at most while there are rows of both. The labels of a round stand in an order of
    /// their own, drawn with the seed; the rows of a label follow each other as in [`Draw::Plain`]. Rows with an answer that is
    /// no label come last. The same as [`Draw::Plain`] for a table without labels.
    Balanced,
}

impl TaskTable {
    /// The rows that pass `is_usable` in the order in which they become examples. The beginning of the order depends on
    /// neither how many are taken nor what follows.
    #[must_use]
    pub fn order(&self, seed: u64, draw: Draw, is_usable: impl Fn(usize) -> bool) -> Vec<usize> {
        let fallen = Random::new(seed, 0).permutation(self.rows.len()).into_iter().map(|row| row as usize);
        let fallen: Vec<usize> = fallen.filter(|row| is_usable(*row)).collect();
        if draw == Draw::Plain || self.labels.is_empty() {
            return fallen;
        }
        let of_label = |label: &String| -> Vec<usize> {
            fallen.iter().copied().filter(|row| self.rows[*row][1] == *label).collect()
        };
        let mut waiting: Vec<_> = self.labels.iter().map(|label| of_label(label).into_iter()).collect();
        let mut random = Random::new(seed, LABELS);
        let mut order = Vec::with_capacity(fallen.len());
        while waiting.iter().any(|rows| rows.len() > 0) {
            let round = random.permutation(waiting.len());
            order.extend(round.into_iter().filter_map(|label| waiting[label as usize].next()));
        }
        let has_label = |row: &usize| self.labels.contains(&self.rows[*row][1]);
        order.extend(fallen.into_iter().filter(|row| !has_label(row)));
        order
    }

    /// The prompt of `k` examples drawn with a seed, and the rest of the rows as they fall: what can be asked. The examples of
    /// a smaller k are the first of a larger one's.
    #[must_use]
    pub fn draw(&self, k: usize, seed: u64, draw: Draw) -> (FewShotPrompt, Vec<usize>) {
        let mut examples = self.order(seed, draw, |_| true);
        examples.truncate(k);
        let rest = self.order(seed, Draw::Plain, |row| !examples.contains(&row));
        let shot = |&row: &usize| {
            let [input, output] = self.rows[row].clone();
            Shot { input, output, on: true }
        };
        (self.prompt(examples.iter().map(shot).collect(), ""), rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Twenty rows of a, eight of b, two of c, and one that has no label.
    fn table() -> TaskTable {
        let labels = [(20, "a"), (8, "b"), (2, "c"), (1, "none")];
        let rows =
            labels.iter().flat_map(|(n, label)| (0..*n).map(move |i| [format!("{label}{i}"), (*label).to_owned()]));
        let labels = ["a", "b", "c"].map(str::to_owned).into();
        TaskTable { rows: rows.collect(), labels, ..TaskTable::default() }
    }

    fn inputs(k: usize, seed: u64, draw: Draw) -> Vec<String> {
        table().draw(k, seed, draw).0.shots.into_iter().map(|shot| shot.input).collect()
    }

    fn counts(k: usize, seed: u64, draw: Draw) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for shot in table().draw(k, seed, draw).0.shots {
            *counts.entry(shot.output).or_default() += 1;
        }
        counts
    }

    #[test]
    fn no_label_is_left_out_where_there_are_as_many_examples_as_labels() {
        assert!((1..50).any(|seed| counts(3, seed, Draw::Plain).len() < 3), "as they fall, one often is");
        for seed in 1..50 {
            assert_eq!(counts(2, seed, Draw::Balanced).len(), 2);
            assert_eq!(counts(3, seed, Draw::Balanced).values().copied().collect::<Vec<_>>(), [1, 1, 1]);
            let six = counts(5, seed, Draw::Balanced);
            assert!(six.len() == 3 && six.values().all(|n| (1..=2).contains(n)), "{six:?}");
        }
        // There are two rows of c: more examples are of the others.
        assert_eq!(counts(10, 1, Draw::Balanced), [("a".into(), 4), ("b".into(), 4), ("c".into(), 2)].into());
        assert_eq!(counts(31, 1, Draw::Balanced).get("none"), Some(&1));
    }

    #[test]
    fn labels_do_not_take_turns() {
        let labels = |seed| -> String {
            let shots = table().draw(6, seed, Draw::Balanced).0.shots;
            shots.into_iter().map(|shot| shot.output).collect()
        };
        assert!((1..50).any(|seed| labels(seed)[..3] != labels(seed)[3..]), "each round has an order of its own");
        assert!((1..50).map(labels).collect::<std::collections::BTreeSet<_>>().len() > 10);
    }

    #[test]
    fn smaller_draws_are_the_beginning_of_larger_ones() {
        for draw in [Draw::Plain, Draw::Balanced] {
            let (eight, rest) = table().draw(8, 7, draw);
            assert_eq!(inputs(2, 7, draw), inputs(8, 7, draw)[..2]);
            assert_eq!(rest.len(), 23);
            assert!(rest.iter().all(|&row| eight.shots.iter().all(|shot| shot.input != table().rows[row][0])));
            assert_ne!(inputs(8, 8, draw), inputs(8, 7, draw));
        }
    }

    #[test]
    fn what_was_drawn_before_there_was_a_choice_is_drawn_again() {
        // The permutation alone, as of the first version.
        let fallen = Random::new(7, 0).permutation(31);
        let expected: Vec<String> = fallen[..5].iter().map(|row| table().rows[*row as usize][0].clone()).collect();
        assert_eq!(inputs(5, 7, Draw::Plain), expected);
        let unlabelled = TaskTable { labels: Vec::new(), ..table() };
        assert_eq!(unlabelled.draw(5, 7, Draw::Balanced), unlabelled.draw(5, 7, Draw::Plain));
    }
}
