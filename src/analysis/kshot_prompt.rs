//! The prompts behind a curve of accuracy against the number of examples: which examples, which queries, in which variant.
//!
//! Everything follows from the specification and a seed, so a point can be looked into after it was measured.

use crate::types::{BatchSpec, FewShotPrompt, KShotSpec, LabelTreatment, Random, Shot, UserError};

/// Streams of random numbers of a seed; [`crate::types::TaskTable::draw`] uses streams 0 and 3.
const SHUFFLING: u64 = 1;
const RANDOM_LABELS: u64 = 2;

impl KShotSpec {
    /// Checks that there is something to measure.
    ///
    /// # Errors
    /// When there is no k, seed or query, or the largest k leaves no row to ask.
    pub fn check(&self) -> Result<(), UserError> {
        let (rows, most) = (self.table.rows.len(), self.largest_k());
        if self.ks.is_empty() || self.seeds.is_empty() || self.queries == 0 {
            return Err(UserError::new(
                "There is no point to measure.",
                "A curve takes at least one number of examples, one seed and one query.",
                "Choose some of each.",
            ));
        }
        if most >= rows {
            return Err(UserError::new(
                format!("{} has {rows} rows, and {most} examples leave none to ask.", self.table.title),
                "Queries are taken from the rows that are no examples even at the largest number of examples.",
                "Use fewer examples, or a table with more rows.",
            ));
        }
        Ok(())
    }

    /// The largest number of examples; 0 of none.
    #[must_use]
    pub fn largest_k(&self) -> usize {
        self.ks.iter().copied().max().unwrap_or(0)
    }

    /// Queries that are asked with each seed: fewer than wished where the table has no more rows beside the examples.
    #[must_use]
    pub fn queries_a_seed(&self) -> usize {
        self.queries.min(self.table.rows.len().saturating_sub(self.largest_k()))
    }

    /// The possible answers, under the names the variant gives them.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = Vec::new();
        for label in self.table.labels.iter().map(|label| self.renamed(label)) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        labels
    }

    /// What is asked at one point: `k` examples drawn with a seed, in the variant asked for, and the queries. All k of a seed
    /// ask the same queries, and the examples of a smaller k are the first of a larger one's (the variant may then change
    /// their answers and their order).
    #[must_use]
    pub fn batch(&self, k: usize, seed: u64) -> BatchSpec {
        let (_, rest) = self.table.draw(self.largest_k(), seed, self.draw);
        let query = |&row: &usize| {
            let [input, output] = &self.table.rows[row];
            [input.clone(), self.renamed(output)]
        };
        BatchSpec {
            prompt: self.prompt(k, seed),
            queries: rest.iter().take(self.queries).map(query).collect(),
            labels: self.labels(),
            calibrate: self.variant.calibrate,
            edits: self.edits.clone(),
        }
    }

    fn prompt(&self, k: usize, seed: u64) -> FewShotPrompt {
        let (mut prompt, _) = self.table.draw(k, seed, self.draw);
        if self.variant.without_instruction {
            prompt.instruction.clear();
        }
        match &self.variant.labels {
            LabelTreatment::True => {}
            LabelTreatment::Shuffled => shuffle_outputs(&mut prompt.shots, Random::new(seed, SHUFFLING)),
            LabelTreatment::Random => {
                let mut random = Random::new(seed, RANDOM_LABELS);
                prompt.shots.iter_mut().for_each(|shot| shot.output = self.random_answer(&mut random));
            }
            LabelTreatment::Renamed { .. } => {
                prompt.shots.iter_mut().for_each(|shot| shot.output = self.renamed(&shot.output));
            }
        }
        if let Some(order) = self.variant.reorder {
            let order = Random::new(order, 0).permutation(prompt.shots.len());
            prompt.shots = order.into_iter().map(|place| prompt.shots[place as usize].clone()).collect();
        }
        prompt
    }

    fn random_answer(&self, random: &mut Random) -> String {
        let table = &self.table;
        if table.labels.is_empty() {
            table.rows[random.below(table.rows.len())][1].clone()
        } else {
            table.labels[random.below(table.labels.len())].clone()
        }
    }

    fn renamed(&self, label: &str) -> String {
        match &self.variant.labels {
            LabelTreatment::Renamed { names } => names.get(label).map_or(label, String::as_str).to_owned(),
            _ => label.to_owned(),
        }
    }
}

/// Moves the outputs round one random circle, so that none stays where it was (Sattolo 1986).
fn shuffle_outputs(shots: &mut [Shot], mut random: Random) {
    let mut outputs: Vec<String> = shots.iter().map(|shot| shot.output.clone()).collect();
    for i in (1..outputs.len()).rev() {
        outputs.swap(i, random.below(i));
    }
    for (shot, output) in shots.iter_mut().zip(outputs) {
        shot.output = output;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Draw, TaskTable, Variant};

    fn spec(variant: Variant) -> KShotSpec {
        let labels = ["even", "odd"].map(str::to_owned);
        let rows = (0..30).map(|i| [i.to_string(), labels[i % 2].clone()]).collect();
        let table =
            TaskTable { instruction: "Even or odd?".into(), labels: labels.into(), rows, ..TaskTable::default() };
        KShotSpec {
            table,
            ks: vec![0, 2, 8],
            seeds: vec![3],
            queries: 10,
            variant,
            draw: Draw::Plain,
            edits: Vec::new(),
        }
    }

    fn with_labels(labels: LabelTreatment) -> KShotSpec {
        spec(Variant { labels, ..Variant::default() })
    }

    fn inputs(batch: &BatchSpec) -> Vec<&str> {
        batch.prompt.shots.iter().map(|shot| shot.input.as_str()).collect()
    }

    #[test]
    fn every_k_asks_the_same_queries_and_never_an_example() {
        let spec = spec(Variant::default());
        let (none, two, eight) = (spec.batch(0, 3), spec.batch(2, 3), spec.batch(8, 3));
        assert_eq!((&none.queries, &two.queries), (&eight.queries, &eight.queries));
        assert_eq!((none.queries.len(), none.prompt.shots.len()), (10, 0));
        assert_eq!(inputs(&two), inputs(&eight)[..2]);
        assert!(eight.queries.iter().all(|[input, _]| !inputs(&eight).contains(&input.as_str())));
        assert_ne!(spec.batch(8, 4).queries, eight.queries);
        assert_eq!(spec.batch(8, 3), eight, "a point can be made again");
    }

    #[test]
    fn the_examples_of_a_point_show_every_label_where_that_is_asked_for() {
        let spec = KShotSpec { draw: Draw::Balanced, ..spec(Variant::default()) };
        for seed in 1..40 {
            let answers: Vec<String> = spec.batch(2, seed).prompt.shots.into_iter().map(|shot| shot.output).collect();
            assert_ne!(answers[0], answers[1]);
            assert_eq!(spec.batch(0, seed).queries, spec.batch(8, seed).queries);
        }
        let before: KShotSpec = {
            let mut written = serde_json::to_value(&spec).unwrap();
            written.as_object_mut().unwrap().remove("draw").unwrap();
            serde_json::from_value(written).unwrap()
        };
        assert_eq!(before.draw, Draw::Plain, "a point of before can be made again");
    }

    #[test]
    fn the_queries_are_as_many_as_there_are() {
        let spec = KShotSpec { queries: 100, ..spec(Variant::default()) };
        assert_eq!((spec.queries_a_seed(), spec.batch(0, 1).queries.len()), (22, 22));
    }

    #[test]
    fn what_cannot_be_measured_is_told() {
        let plain = || spec(Variant::default());
        assert_eq!(plain().check(), Ok(()));
        let error = KShotSpec { ks: vec![4, 30], ..plain() }.check().unwrap_err();
        assert!(error.what.contains("30 rows, and 30 examples"), "{error}");
        for none in [
            KShotSpec { ks: vec![], ..plain() },
            KShotSpec { seeds: vec![], ..plain() },
            KShotSpec { queries: 0, ..plain() },
        ] {
            assert!(none.check().unwrap_err().what.contains("no point"));
        }
    }

    #[test]
    fn shuffled_answers_all_move_and_stay_the_same_ones() {
        let mut shots: Vec<Shot> =
            (0..9).map(|i| Shot { input: i.to_string(), output: i.to_string(), on: true }).collect();
        shuffle_outputs(&mut shots, Random::new(1, SHUFFLING));
        assert!(shots.iter().all(|shot| shot.input != shot.output));
        let mut outputs: Vec<_> = shots.iter().map(|shot| shot.output.clone()).collect();
        outputs.sort_unstable();
        assert_eq!(outputs.concat(), "012345678");
        let shuffled = with_labels(LabelTreatment::Shuffled).batch(8, 3);
        assert_eq!(inputs(&shuffled), inputs(&with_labels(LabelTreatment::True).batch(8, 3)));
        assert_eq!(shuffled.queries, with_labels(LabelTreatment::True).batch(8, 3).queries, "what is right stays");
    }

    #[test]
    fn random_answers_of_a_smaller_k_are_those_of_a_larger_one() {
        let spec = with_labels(LabelTreatment::Random);
        let outputs = |k| spec.batch(k, 3).prompt.shots.into_iter().map(|shot| shot.output).collect::<Vec<_>>();
        assert_eq!(outputs(2), outputs(8)[..2]);
        let wrong = spec
            .batch(8, 3)
            .prompt
            .shots
            .iter()
            .filter(|s| !spec.table.rows.contains(&[s.input.clone(), s.output.clone()]))
            .count();
        assert!(wrong > 0 && outputs(8).iter().all(|output| spec.table.labels.contains(output)));
    }

    #[test]
    fn new_names_hold_for_examples_labels_and_what_is_right() {
        let names = [("even".to_owned(), "foo".to_owned()), ("odd".to_owned(), "bar".to_owned())].into();
        let batch = with_labels(LabelTreatment::Renamed { names }).batch(8, 3);
        assert_eq!(batch.labels, ["foo", "bar"]);
        let outputs = batch.prompt.shots.iter().map(|shot| &shot.output).chain(batch.queries.iter().map(|[_, o]| o));
        assert!(outputs.into_iter().all(|output| batch.labels.contains(output)));
    }

    #[test]
    fn instruction_and_order_change_alone() {
        let plain = spec(Variant::default()).batch(8, 3);
        let bare = spec(Variant { without_instruction: true, ..Variant::default() }).batch(8, 3);
        assert_eq!((bare.prompt.instruction.as_str(), bare.prompt.shots), ("", plain.prompt.shots.clone()));
        let reordered = spec(Variant { reorder: Some(5), ..Variant::default() }).batch(8, 3);
        assert_ne!(inputs(&reordered), inputs(&plain));
        let sorted = |batch: &BatchSpec| {
            let mut shots = batch.prompt.shots.clone();
            shots.sort_by(|a, b| a.input.cmp(&b.input));
            shots
        };
        assert_eq!(sorted(&reordered), sorted(&plain));
    }
}
