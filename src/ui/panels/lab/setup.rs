//! What a person edits in the lab: a task, a query with the answers that are compared, and how the model is asked.

use super::plan::model_of;
pub(super) use super::side::{Card, Example, Side};
use crate::types::{Ability, CONTENT_FREE, FewShotPrompt, Random, ScoreRequest, Shot, TaskTable};
use crate::ui::State;
use crate::ui::asked_model::{AskedModel, Found};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Streams of random numbers that must not be those the examples are drawn from.
const DISTRACTOR_STREAM: u64 = 1;
const WRONG_STREAM: u64 = 2;

/// Where the answers that are compared come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Pool {
    /// The labels of the task.
    #[default]
    Labels,
    /// The right answer, and other answers of the table.
    Distractors,
    /// What was typed.
    Typed,
}

/// Everything that is edited, and taken back by undo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Setup {
    /// Rows and labels of the task. Its instruction, template and separator are where a [`Side`] begins.
    #[serde(with = "shared")]
    pub table: Arc<TaskTable>,
    pub query: String,
    /// The right answer; may be empty.
    pub expected: String,
    pub pool: Pool,
    /// How many other answers are drawn from the table.
    pub distractors: usize,
    /// The typed answers, one a line.
    pub typed: String,
    pub sides: [Side; 2],
    /// True while the second column is shown.
    pub two: bool,
    /// True once the second column was shown: from then on it is what it was left as.
    pub had_two: bool,
}

impl Setup {
    /// A task to begin with: examples and a query drawn with a seed.
    pub fn of(table: Arc<TaskTable>, k: usize, seed: u64) -> Self {
        let side = Side::of(&table, seed);
        let pool = if table.labels.is_empty() { Pool::Distractors } else { Pool::Labels };
        let mut setup = Self {
            table,
            query: String::new(),
            expected: String::new(),
            pool,
            distractors: 3,
            typed: String::new(),
            sides: [side.clone(), side],
            two: false,
            had_two: false,
        };
        setup.draw(0, k, seed);
        setup.sides[1] = setup.sides[0].clone();
        setup.ask_another(0);
        setup
    }

    /// A prompt that was written elsewhere: its examples are the table.
    pub fn from_prompt(prompt: &FewShotPrompt) -> Self {
        let example = |shot: &Shot| {
            let Shot { input, output, on } = shot.clone();
            Example { input, output, on, wrong: None }
        };
        let outputs: BTreeSet<&str> = prompt.shots.iter().map(|shot| shot.output.as_str()).collect();
        let table = TaskTable {
            id: "prompt".to_owned(),
            title: "From the prompt panel".to_owned(),
            instruction: prompt.instruction.clone(),
            template: prompt.template.clone(),
            separator: prompt.separator.clone(),
            rows: prompt.shots.iter().map(|shot| [shot.input.clone(), shot.output.clone()]).collect(),
            ..TaskTable::default()
        };
        let mut setup = Self::of(Arc::new(table), 0, 1);
        setup.sides[0].examples = prompt.shots.iter().map(example).collect();
        setup.sides[1] = setup.sides[0].clone();
        setup.query.clone_from(&prompt.query);
        setup.expected.clear();
        setup.distractors = outputs.len().clamp(1, 8);
        setup
    }

    /// The side at `place`, or the first while there is only one column.
    pub fn sides(&self) -> &[Side] {
        if self.two { &self.sides } else { &self.sides[..1] }
    }

    /// Shows or hides the second column. The first time it begins as the first one is.
    pub fn show_two(&mut self, two: bool) {
        if two && !std::mem::replace(&mut self.had_two, true) {
            self.sides[1] = self.sides[0].clone();
        }
        self.two = two;
    }

    /// Has a second column that is the first one with edits.
    pub fn show_edited(&mut self) {
        (self.two, self.had_two) = (true, true);
        self.sides[0].edited = false;
        self.sides[1] = Side { edited: true, ..self.sides[0].clone() };
    }

    /// Asks the models of a run again. A column that would ask another one asks none until the person says so.
    pub fn ask_again(&mut self, models: &[AskedModel], state: &State) {
        for (side, model) in self.sides.iter_mut().zip(models).filter(|(_, model)| !model.name.is_empty()) {
            side.of_run = None;
            let now = model_of(side, state).map(|open| open.info.id);
            let is_it = matches!(model.find(state, Ability::Continue), Found::Open(open) if Some(open.info.id) == now);
            side.of_run = (!is_it).then(|| model.clone());
        }
    }

    /// The same, whatever model is asked.
    pub fn of_any_model(&self) -> Self {
        let mut setup = self.clone();
        setup.sides.iter_mut().for_each(|side| (side.model, side.of_run) = (None, None));
        setup
    }

    /// Gives the task other labels. They are compared from then on, unless typed answers are.
    pub fn set_labels(&mut self, labels: Vec<String>) {
        if self.table.labels == labels {
            return;
        }
        match (self.pool, labels.is_empty()) {
            (Pool::Labels, true) => self.pool = Pool::Distractors,
            (Pool::Distractors, false) => self.pool = Pool::Labels,
            _ => {}
        }
        Arc::make_mut(&mut self.table).labels = labels;
    }

    /// Draws `k` examples with a seed. The row that is asked for is not drawn.
    pub fn draw(&mut self, side: usize, k: usize, seed: u64) {
        self.sides[side].seed = seed;
        self.sides[side].examples.clear();
        self.resize(side, k);
    }

    /// Has `k` examples: more of the same draw, or fewer from the end. What was edited stays.
    pub fn resize(&mut self, side: usize, k: usize) {
        let chosen = &mut self.sides[side];
        chosen.examples.truncate(k);
        let is_usable = |row: usize| {
            let [input, output] = &self.table.rows[row];
            !input.trim().is_empty() && !output.trim().is_empty() && *input != self.query
        };
        for row in self.table.order(chosen.seed, chosen.draw, is_usable) {
            if chosen.examples.len() >= k {
                break;
            }
            let [input, output] = &self.table.rows[row];
            let is_there = chosen.examples.iter().any(|example| example.input == *input);
            if !is_there {
                let (input, output) = (input.clone(), output.clone());
                chosen.examples.push(Example { input, output, on: true, wrong: None });
            }
        }
    }

    /// Asks the next row, in the order of the draw, that is no example; with its right answer. `after` rows are skipped.
    pub fn ask_another(&mut self, after: usize) {
        let order = Random::new(self.sides[0].seed, 0).permutation(self.table.rows.len());
        let rows: Vec<&[String; 2]> = order.into_iter().map(|row| &self.table.rows[row as usize]).collect();
        let is_example = |row: &[String; 2]| self.sides().iter().any(|s| s.examples.iter().any(|e| e.input == row[0]));
        let free = |row: &&[String; 2]| !row[0].trim().is_empty() && !is_example(row);
        let free: Vec<&[String; 2]> = rows.into_iter().filter(free).collect();
        let now = free.iter().position(|row| row[0] == self.query);
        let next = now.map_or(0, |at| at + 1) + after;
        if let Some([query, expected]) = free.get(next % free.len().max(1)) {
            (self.query, self.expected) = (query.clone(), expected.clone());
        }
    }

    /// Rows that are no examples of a side: what a batch asks.
    pub fn rest(&self, side: usize) -> Vec<[String; 2]> {
        let examples: BTreeSet<&str> =
            self.sides[side].examples.iter().filter(|e| e.on).map(|e| e.input.as_str()).collect();
        let is_asked =
            |row: &&[String; 2]| !row.iter().any(|cell| cell.trim().is_empty()) && !examples.contains(row[0].as_str());
        self.table.rows.iter().filter(is_asked).cloned().collect()
    }

    /// A wrong answer for an example: another label, or another answer of the table. `None` where there is no other.
    pub fn wrong_answer(&self, example: &Example, seed: u64) -> Option<String> {
        let answers: Vec<String> =
            if self.table.labels.is_empty() { self.outputs() } else { self.table.labels.clone() };
        let others: Vec<String> = answers.into_iter().filter(|answer| *answer != example.output).collect();
        let place = (!others.is_empty()).then(|| Random::new(seed, WRONG_STREAM).below(others.len()))?;
        others.into_iter().nth(place)
    }

    /// The different answers of the table, in order of appearance.
    fn outputs(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        self.table.rows.iter().map(|[_, output]| output).filter(|output| seen.insert(*output)).cloned().collect()
    }

    /// The answers that are compared, by their own names; each once.
    pub fn answers(&self) -> Vec<String> {
        let mut answers: Vec<String> = match self.pool {
            Pool::Labels => self.table.labels.clone(),
            Pool::Typed => {
                self.typed.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
            }
            Pool::Distractors => {
                let others: Vec<String> = self.outputs().into_iter().filter(|o| *o != self.expected).collect();
                let order = Random::new(self.sides[0].seed, DISTRACTOR_STREAM).permutation(others.len());
                let drawn = order.into_iter().take(self.distractors).map(|i| others[i as usize].clone());
                let right = Some(self.expected.clone()).filter(|expected| !expected.is_empty());
                right.into_iter().chain(drawn).collect()
            }
        };
        let mut seen = BTreeSet::new();
        answers.retain(|answer| seen.insert(answer.clone()));
        answers
    }

    /// The prompt of a card. `cut` examples are left out at the front.
    pub fn prompt(&self, side: usize, card: Card, cut: usize) -> FewShotPrompt {
        let side = &self.sides[side];
        let mut shots = side.shots();
        let takes = card.takes(side.on());
        let mut seen = 0;
        for shot in &mut shots {
            seen += usize::from(shot.on);
            shot.on = shot.on && seen <= takes && seen > cut;
        }
        FewShotPrompt {
            instruction: if side.says_instruction { side.instruction.clone() } else { String::new() },
            shots,
            query: self.query.clone(),
            template: side.template.clone(),
            separator: side.separator.clone(),
        }
    }

    /// What is asked of the model for a card.
    pub fn request(&self, side: usize, card: Card, cut: usize, answers: &[String]) -> ScoreRequest {
        let prompt = self.prompt(side, card, cut);
        let side = &self.sides[side];
        // A space is put before an answer anyway; any other white space is part of the prompt, and scored with the answer.
        let gap = Some(prompt.gap()).filter(|gap| *gap != " ").unwrap_or_default();
        let asked = |query: &str| FewShotPrompt { query: query.to_owned(), ..prompt.clone() }.render().text + gap;
        ScoreRequest {
            candidates: answers.iter().map(|answer| side.name(answer).to_owned()).collect(),
            ending: if side.ending { prompt.ending() } else { String::new() },
            content_free: if side.calibrate { CONTENT_FREE.map(asked).to_vec() } else { Vec::new() },
            prompt: prompt.render().text + gap,
            edits: side.edits.clone(),
        }
    }
}

impl Default for Setup {
    fn default() -> Self {
        let tasks = crate::engine::shipped_tasks();
        // A task of two labels shows at a glance what examples do.
        let first = tasks.iter().find(|task| task.id == "sentiment").or_else(|| tasks.first());
        Self::of(Arc::new(first.cloned().unwrap_or_default()), 4, 1)
    }
}

/// A table that is shared in memory and written whole.
mod shared {
    use super::{Arc, TaskTable};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(table: &Arc<TaskTable>, serializer: S) -> Result<S::Ok, S::Error> {
        TaskTable::serialize(table, serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<TaskTable>, D::Error> {
        TaskTable::deserialize(deserializer).map(Arc::new)
    }
}
