//! How the model is asked: examples, wording and scoring of one column, and the three prompts made of it.

use crate::types::{Draw, Edit, Shot, TaskTable};
use crate::ui::asked_model::AskedModel;
use crate::ui::paths;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One example pair, as edited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Example {
    pub input: String,
    pub output: String,
    /// False leaves it out without deleting it.
    pub on: bool,
    /// A wrong answer, shown to the model in the place of `output`.
    pub wrong: Option<String>,
}

/// How the model is asked: everything that may differ between two columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Side {
    /// The model's folder; `None` for the model in use.
    #[serde(with = "paths::one")]
    pub model: Option<PathBuf>,
    /// The model of the run that was brought back, where the column would have asked another one: only that is asked until the
    /// person says otherwise.
    pub of_run: Option<AskedModel>,
    pub instruction: String,
    /// False leaves the instruction out without deleting it.
    pub says_instruction: bool,
    pub template: String,
    pub separator: String,
    pub examples: Vec<Example>,
    /// What the examples were drawn with.
    pub seed: u64,
    /// How they were drawn; as they fell where nothing was kept of it.
    pub draw: Draw,
    /// Other names for answers: old to new.
    pub names: BTreeMap<String, String>,
    /// Use contextual calibration.
    pub calibrate: bool,
    /// Score the end of the answer too.
    pub ending: bool,
    /// True asks the model with the edits of the window's list.
    pub edited: bool,
    /// Those edits, as of the last change of the list; none where the model is asked as it is.
    pub edits: Vec<Edit>,
}

/// The three prompts that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Card {
    Zero,
    One,
    Few,
}

impl Card {
    pub const ALL: [Self; 3] = [Self::Zero, Self::One, Self::Few];

    pub fn title(self) -> &'static str {
        match self {
            Self::Zero => "Zero-shot",
            Self::One => "One-shot",
            Self::Few => "Few-shot",
        }
    }

    /// The title over a prompt of so many examples.
    pub fn title_of(self, shots: usize) -> String {
        match self {
            Self::Few => format!("{shots}-shot"),
            Self::Zero | Self::One => self.title().to_owned(),
        }
    }

    /// How many of the examples that are switched on it takes.
    pub fn takes(self, on: usize) -> usize {
        match self {
            Self::Zero => 0,
            Self::One => on.min(1),
            Self::Few => on,
        }
    }
}

impl Side {
    pub fn of(table: &TaskTable, seed: u64) -> Self {
        Self {
            instruction: table.instruction.clone(),
            says_instruction: true,
            template: table.template.clone(),
            separator: table.separator.clone(),
            seed,
            draw: Draw::Balanced,
            ending: true,
            ..Self::default()
        }
    }

    /// The name under which an answer is shown to the model.
    pub fn name<'a>(&'a self, answer: &'a str) -> &'a str {
        self.names.get(answer).filter(|name| !name.is_empty()).map_or(answer, String::as_str)
    }

    /// The examples as the model is shown them.
    pub fn shots(&self) -> Vec<Shot> {
        let shot = |example: &Example| {
            let answer = example.wrong.as_ref().unwrap_or(&example.output);
            Shot { input: example.input.clone(), output: self.name(answer).to_owned(), on: example.on }
        };
        self.examples.iter().map(shot).collect()
    }

    /// Examples that are switched on.
    pub fn on(&self) -> usize {
        self.examples.iter().filter(|example| example.on).count()
    }

    /// The task as this side writes it, for jobs that draw examples themselves.
    pub fn table(&self, table: &TaskTable) -> TaskTable {
        TaskTable {
            instruction: if self.says_instruction { self.instruction.clone() } else { String::new() },
            template: self.template.clone(),
            separator: self.separator.clone(),
            ..table.clone()
        }
    }
}
