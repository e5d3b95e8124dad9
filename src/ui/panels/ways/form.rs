//! Everything that is filled in, and the comparison it stands for.

use crate::engine::shipped_tasks;
use crate::types::{
    Ability, AdaptPrompt, AdaptSpec, AdaptTraining, FeaturePooling, LabelNoise, LabelledSource, LoraSpec, ModelInfo,
    TaskTable, Way,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What can be done to labels, in the order of the checkboxes.
pub(super) const NOISES: [LabelNoise; 3] = [LabelNoise::True, LabelNoise::Shuffled, LabelNoise::FifthWrong];
/// The shipped task that is offered first.
pub(super) const FIRST_TASK: &str = "sentiment";
/// Where shipped tasks are found, in any folder.
const TASKS: &str = "assets/tasks";

/// The form. It survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Form {
    pub data: String,
    /// A file of its own for the test; empty for none.
    pub test_file: String,
    /// Names or numbers of the columns of texts and labels; nothing finds them.
    pub columns: [String; 2],
    pub test_percent: f64,
    pub test_rows: usize,
    pub split_seed: u64,
    pub ways: BTreeSet<Way>,
    /// Numbers with commas between them, or the word all.
    pub sizes: String,
    /// Seeds are 1 to this.
    pub seeds: u64,
    /// Which of [`NOISES`] are measured.
    pub noises: [bool; 3],
    pub pooling: FeaturePooling,
    pub instruction: String,
    pub template: String,
    pub separator: String,
    /// Words for the classes, with commas between them; nothing for the labels themselves.
    pub words: String,
    pub calibrate: bool,
    pub epochs: usize,
    pub batch: usize,
    pub least_steps: usize,
    pub most_steps: usize,
    pub rank: usize,
    /// Peak learning rates as they were typed; nothing for the usual one.
    pub rates: BTreeMap<Way, String>,
}

impl Default for Form {
    fn default() -> Self {
        let AdaptPrompt { instruction, template, separator, calibrate, .. } = AdaptPrompt::default();
        let AdaptTraining { epochs, batch, least_steps, most_steps, lora, .. } = AdaptTraining::default();
        Self {
            data: String::new(),
            test_file: String::new(),
            columns: [String::new(), String::new()],
            test_percent: 30.0,
            test_rows: 400,
            split_seed: 0,
            ways: Way::ALL.into_iter().filter(|way| *way != Way::Prototypes).collect(),
            sizes: "1, 4, 16".to_owned(),
            seeds: 3,
            noises: [true, false, false],
            pooling: FeaturePooling::default(),
            instruction,
            template,
            separator,
            words: String::new(),
            calibrate,
            epochs,
            batch,
            least_steps,
            most_steps,
            rank: lora.rank,
            rates: BTreeMap::new(),
        }
    }
}

/// Tasks that come with Fovea and have labels.
pub(super) fn tasks() -> impl Iterator<Item = &'static TaskTable> {
    shipped_tasks().iter().filter(|task| !task.labels.is_empty())
}

/// Why a model cannot be adapted in a way; nothing where it can.
pub(super) fn hindrance(way: Way, model: &ModelInfo) -> Option<String> {
    let name = &model.name;
    match way {
        _ if !reads_text(model) => Some(format!("{name} reads no text.")),
        Way::Examples if !model.can(Ability::Continue) => {
            Some(format!("{name} continues no text, so no examples can be shown to it in a prompt."))
        }
        Way::Lora if model.can(Ability::Remember) => {
            Some(format!("{name} is made of recurrent layers, whose matrices no adapter changes."))
        }
        _ => None,
    }
}

/// True of decoders, encoders, and classifiers of texts.
pub(super) fn reads_text(model: &ModelInfo) -> bool {
    [Ability::Continue, Ability::Embed, Ability::ClassifyTexts].into_iter().any(|ability| model.can(ability))
}

impl Form {
    /// The shipped task that the data is, if it is one.
    pub fn task(&self) -> Option<&'static TaskTable> {
        let path = Path::new(self.data.trim());
        let id = path.strip_prefix(TASKS).ok()?.file_stem()?.to_str()?;
        tasks().find(|task| task.id == id)
    }

    /// Takes a shipped task as the data, with its way of writing examples.
    pub fn take_task(&mut self, task: &TaskTable) {
        self.data = Path::new(TASKS).join(format!("{}.tsv", task.id)).display().to_string();
        self.instruction.clone_from(&task.instruction);
        self.template.clone_from(&task.template);
        self.separator.clone_from(&task.separator);
        (self.words, self.test_file, self.columns) = (String::new(), String::new(), Default::default());
    }

    /// Takes a file as the data. How a shipped task wrote its examples goes with it.
    pub fn take_file(&mut self, path: &Path) {
        let is_of_task = self.task().is_some_and(|task| task.template == self.template);
        if is_of_task {
            let AdaptPrompt { instruction, template, separator, .. } = AdaptPrompt::default();
            (self.instruction, self.template, self.separator) = (instruction, template, separator);
        }
        self.data = path.display().to_string();
    }

    /// Where the labelled texts are; nothing before a file is named.
    pub fn source(&self) -> Option<LabelledSource> {
        let given = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let [text, label] = &self.columns;
        Some(LabelledSource {
            data: PathBuf::from(given(&self.data)?),
            validation: None,
            test: given(&self.test_file).map(PathBuf::from),
            text: given(text),
            label: given(label),
            validation_share: 0.0,
            test_share: self.test_percent / 100.0,
            seed: self.split_seed,
        })
    }

    /// The comparison, by a model.
    ///
    /// # Errors
    /// What is missing or no number, in words.
    pub fn spec(&self, model: Option<&ModelInfo>) -> Result<AdaptSpec, String> {
        let model = model.ok_or("Open a model that reads text.")?;
        if !reads_text(model) {
            return Err(format!(
                "{} reads no text; choose a decoder, an encoder or a classifier of texts.",
                model.name
            ));
        }
        let data = self.source().ok_or("Choose labelled texts.")?;
        let words = self.words.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned);
        let lora = LoraSpec { rank: self.rank, alpha: 2.0 * self.rank as f64, ..AdaptTraining::default().lora };
        let spec = AdaptSpec {
            data,
            ways: self.ways.iter().copied().filter(|way| hindrance(*way, model).is_none()).collect(),
            sizes: self.sizes()?,
            seeds: (1..=self.seeds).collect(),
            noises: NOISES.into_iter().zip(self.noises).filter_map(|(noise, on)| on.then_some(noise)).collect(),
            test: self.test_rows,
            pooling: self.pooling,
            prompt: AdaptPrompt {
                instruction: self.instruction.clone(),
                template: self.template.clone(),
                separator: self.separator.clone(),
                words: words.collect(),
                calibrate: self.calibrate,
            },
            training: AdaptTraining {
                epochs: self.epochs,
                batch: self.batch,
                least_steps: self.least_steps.min(self.most_steps),
                most_steps: self.most_steps,
                lora,
                rates: self.rates()?,
            },
        };
        spec.check().map_err(|error| format!("{} {}", error.what, error.next))?;
        Ok(spec)
    }

    fn sizes(&self) -> Result<Vec<usize>, String> {
        let parts = self.sizes.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
        let size = |part: &str| match part {
            "all" => Ok(usize::MAX),
            number => number.parse().map_err(|_| {
                format!("{number:?} is no number of examples. Write numbers with commas between them, or all.")
            }),
        };
        parts.map(size).collect()
    }

    fn rates(&self) -> Result<Vec<(Way, f64)>, String> {
        let typed = self.rates.iter().filter(|(_, text)| !text.trim().is_empty());
        let rate = |(way, text): (&Way, &String)| {
            let rate = text.trim().parse().map_err(|_| format!("{text:?} is no learning rate."))?;
            Ok((*way, rate))
        };
        typed.map(rate).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shipped_task_brings_its_prompt_and_a_file_after_it_takes_that_away() {
        let task = tasks().find(|task| task.id == FIRST_TASK).unwrap();
        let mut form = Form::default();
        form.take_task(task);
        assert_eq!(form.task().unwrap().id, FIRST_TASK);
        assert_eq!((&form.template, &form.separator), (&task.template, &task.separator));
        form.take_file(Path::new("films.csv"));
        assert_eq!((form.task(), form.data.as_str()), (None, "films.csv"));
        assert_eq!(form.template, AdaptPrompt::default().template);
        // What somebody wrote stays.
        form.template = "{input} -> {output}".to_owned();
        form.take_file(Path::new("others.csv"));
        assert_eq!(form.template, "{input} -> {output}");
    }

    #[test]
    fn sizes_are_numbers_or_all() {
        let sizes = |text: &str| Form { sizes: text.to_owned(), ..Form::default() }.sizes();
        assert_eq!(sizes("1, 4,16 64,all"), Ok(vec![1, 4, 16, 64, usize::MAX]));
        assert_eq!(sizes(""), Ok(Vec::new()));
        assert!(sizes("1, few").unwrap_err().contains("\"few\""));
    }
}
