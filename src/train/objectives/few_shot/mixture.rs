//! What stands in a training sequence: one kind of document after the other, drawn from seed, step and place alone.

use super::document::{Document, Style};
use super::rules;
use super::tables::Tables;
use crate::nn::Random;
use crate::types::{FewShotTask, MixtureStage, TaskTable};

/// How often a document begins with its instruction.
pub(super) const WITH_INSTRUCTION: f32 = 0.35;
/// Most examples of a document.
const EXAMPLES: usize = 24;

/// The kinds of sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Facts,
    Rules,
    Choose,
    Lookup,
    Repeats,
    Renamed,
    Shuffled,
}

/// The stage of a step, counted from 1.
///
/// # Panics
/// When there is no stage.
pub(super) fn stage(stages: &[MixtureStage], step: usize, steps: usize) -> &MixtureStage {
    let done = step as f64 / steps.max(1) as f64;
    stages.iter().find(|stage| done <= stage.until).or(stages.last()).expect("a recipe has a stage")
}

/// A kind at random, in the stage's proportions.
pub(super) fn kind(stage: &MixtureStage, random: &mut Random) -> Kind {
    let MixtureStage { text, facts, rules, choose, lookup, repeats, renamed, shuffled, .. } = *stage;
    let shares = [
        (Kind::Text, text),
        (Kind::Facts, facts),
        (Kind::Rules, rules),
        (Kind::Choose, choose),
        (Kind::Lookup, lookup),
        (Kind::Repeats, repeats),
        (Kind::Renamed, renamed),
        (Kind::Shuffled, shuffled),
    ];
    let mut left = random.unit() * shares.iter().map(|(_, share)| share).sum::<f64>();
    for (kind, share) in shares {
        if left < share {
            return kind;
        }
        left -= share;
    }
    Kind::Facts
}

/// A few-shot document of a kind.
pub(super) fn write(kind: Kind, task: &FewShotTask, tables: &Tables, random: &mut Random) -> Document {
    let style = Style::draw(task, &tables.words, random);
    let examples = 2 + random.below(EXAMPLES - 1);
    match kind {
        Kind::Rules => rules::write(&style, examples, tables.words.supply(random), random),
        Kind::Choose => rules::write_choosing(&style, examples, tables.words.supply(random), random),
        Kind::Lookup => rules::write_lookup(&style, examples, tables.words.supply(random), random),
        Kind::Renamed if !tables.labelled.is_empty() => {
            let table = &tables.learned[tables.labelled[random.below(tables.labelled.len())]];
            let supply = tables.words.supply(random);
            let names: Vec<String> = table.labels.iter().map(|_| supply.any(random)).collect();
            let renamed = |output: &String| {
                table.labels.iter().position(|label| label == output).map_or(output, |i| &names[i]).clone()
            };
            let rows =
                draw(table, examples, random).into_iter().map(|[input, output]| [input.clone(), renamed(output)]);
            let rows: Vec<[String; 2]> = rows.collect();
            // Before every label has been shown its new name cannot be known.
            let mut shown: Vec<&str> = Vec::new();
            let mut document = Document::default();
            for [input, output] in &rows {
                document.push(&style, input, output, shown.contains(&output.as_str()));
                shown.push(output);
            }
            document
        }
        _ => {
            let table = &tables.learned[random.below(tables.learned.len())];
            let mut document = Document::new(if random.uniform() < WITH_INSTRUCTION { &table.instruction } else { "" });
            if kind != Kind::Shuffled {
                for [input, output] in draw(table, examples, random) {
                    document.push(&style, input, output, true);
                }
                return document;
            }
            // Answers of rows that stand in the document, or of others: that an answer has been given must not be what tells.
            let rows = draw(table, examples * (1 + random.below(2)), random);
            let count = examples.min(rows.len());
            // Moved on by some places, hardly an answer stays with its question.
            let by = 1 + random.below(rows.len().max(2) - 1);
            for (i, [input, _]) in rows.iter().take(count).enumerate() {
                let [_, output] = rows[(i + by) % rows.len()];
                document.push(&style, input, output, true);
            }
            document
        }
    }
}

/// Rows of a table, none twice.
fn draw<'a>(table: &'a TaskTable, count: usize, random: &mut Random) -> Vec<&'a [String; 2]> {
    let order = random.permutation(table.rows.len());
    order.into_iter().take(count).map(|row| &table.rows[row as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffled_answers_are_other_ones_of_the_table() {
        let rows: Vec<[String; 2]> = (0..60).map(|i| [format!("in{i}"), format!("out{i}")]).collect();
        let table = TaskTable { id: "numbers".into(), rows, ..TaskTable::default() };
        let mut tables = Tables::default();
        tables.learned.push(table);
        let task: FewShotTask = toml::from_str("context = 64\ntasks = []\nstages = []").unwrap();
        let numbers = |text: &str, prefix: &str| -> Vec<usize> {
            text.split(|c: char| !c.is_alphanumeric()).filter_map(|w| w.strip_prefix(prefix)?.parse().ok()).collect()
        };
        let (mut random, mut inside, mut outside) = (Random::new(9, 0), 0, 0);
        for _ in 0..60 {
            let document = write(Kind::Shuffled, &task, &tables, &mut random);
            let (inputs, outputs) = (numbers(&document.text, "in"), numbers(&document.text, "out"));
            assert_eq!((inputs.len(), document.learned.len()), (outputs.len(), inputs.len()));
            assert!(inputs.iter().zip(&outputs).all(|(input, output)| input != output), "{}", document.text);
            let given = outputs.iter().filter(|output| inputs.contains(output)).count();
            *(if given == outputs.len() { &mut inside } else { &mut outside }) += 1;
        }
        assert!(inside > 15 && outside > 15, "{inside} documents use their own rows' answers, {outside} other rows'");
    }

    #[test]
    fn kinds_come_in_the_proportions_of_the_stage() {
        let stages = [
            MixtureStage { until: 0.5, rules: 3.0, text: 1.0, ..MixtureStage::default() },
            MixtureStage { until: 1.0, facts: 1.0, ..MixtureStage::default() },
        ];
        let mut random = Random::new(1, 0);
        let first = stage(&stages, 40, 100);
        let rules = (0..4000).filter(|_| kind(first, &mut random) == Kind::Rules).count();
        assert!((2850..3150).contains(&rules), "{rules} of 4000");
        assert_eq!(kind(stage(&stages, 60, 100), &mut random), Kind::Facts);
        assert_eq!(*stage(&stages, 100, 100), stages[1]);
    }
}
