//! What the person has filled in, and the training run it describes.

use super::classes::ClassForm;
use crate::types::{
    Ability, Architecture, DigitNetwork, DigitTask, LoraSpec, LrSchedule, ModelId, Precision, SnapshotSteps, StartFrom,
    TextTask, TrainSpec, TrainTask,
};
use crate::ui::State;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Subject {
    /// A digit network on MNIST-format images.
    #[default]
    Digits,
    /// The open text model on a text file.
    Text,
    /// A head for classes on the open model's body.
    Classes,
}

/// Where a digit network's weights come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DigitStart {
    /// Random weights.
    #[default]
    Scratch,
    /// The weights that come with Fovea.
    Shipped,
    /// The digit network in use.
    Open,
}

/// The numbers of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    pub learning_rate: f64,
    pub batch_size: usize,
    pub steps: usize,
    /// In percent, as it is shown.
    pub validation_percent: f64,
    pub seed: u64,
    pub schedule: LrSchedule,
    pub warmup_steps: usize,
    pub weight_decay: f64,
    pub clip_norm: f64,
    pub eval_every: usize,
    pub accumulate: usize,
    pub patience: usize,
    /// Where the run keeps its weights, as a person writes it; nowhere where it is empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub snapshots: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self::digits()
    }
}

impl Settings {
    fn digits() -> Self {
        Self {
            learning_rate: 2e-3,
            batch_size: 64,
            steps: 2000,
            validation_percent: 10.0,
            seed: 1,
            schedule: LrSchedule::Cosine,
            warmup_steps: 0,
            weight_decay: 0.0,
            clip_norm: 0.0,
            eval_every: 100,
            accumulate: 1,
            patience: 0,
            snapshots: String::new(),
        }
    }

    /// The steps that are filled in.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn snapshot_steps(&self) -> Result<Option<SnapshotSteps>, String> {
        if self.snapshots.trim().is_empty() { Ok(None) } else { SnapshotSteps::read(&self.snapshots).map(Some) }
    }

    /// A head that learns alone; the rate of what is pre-trained is to be lower.
    pub(super) fn classes() -> Self {
        Self {
            learning_rate: 1e-3,
            batch_size: 16,
            steps: 300,
            warmup_steps: 20,
            weight_decay: 0.01,
            clip_norm: 1.0,
            eval_every: 25,
            ..Self::digits()
        }
    }

    fn text() -> Self {
        Self {
            learning_rate: 3e-4,
            batch_size: 8,
            steps: 300,
            warmup_steps: 20,
            weight_decay: 0.01,
            clip_norm: 1.0,
            eval_every: 25,
            ..Self::digits()
        }
    }
}

/// An adapter in place of all weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct LoraForm {
    /// It is what is learned.
    pub on: bool,
    pub rank: usize,
    pub alpha: f64,
    pub rank_stabilised: bool,
    /// Ends of modules' names, with commas between; empty for the usual ones of the family.
    pub targets: String,
}

impl Default for LoraForm {
    fn default() -> Self {
        Self { on: false, rank: 8, alpha: 16.0, rank_stabilised: false, targets: String::new() }
    }
}

impl LoraForm {
    /// What is changed unless something is filled in: queries and values.
    pub fn usual_targets(architecture: Architecture) -> &'static str {
        match architecture {
            Architecture::Gpt2 => "c_attn",
            Architecture::GptNeox => "query_key_value",
            Architecture::Bert | Architecture::Roberta => "query, value",
            Architecture::DistilBert => "q_lin, v_lin",
            Architecture::FeedForward => "hidden",
            _ => "q_proj, v_proj",
        }
    }

    pub fn spec(&self, architecture: Architecture) -> LoraSpec {
        let filled_in = self.targets.trim();
        let targets = if filled_in.is_empty() { Self::usual_targets(architecture) } else { filled_in };
        let targets = targets.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let Self { rank, alpha, rank_stabilised, .. } = *self;
        LoraSpec { rank, alpha, rank_stabilised, targets }
    }
}

/// Everything that is filled in. Each subject has its own numbers, so that switching loses nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Form {
    pub subject: Subject,
    pub text_data: String,
    pub context: usize,
    pub text: Settings,
    /// What the model goes on from after each validation, a line each.
    pub sample_prompts: String,
    pub lora: LoraForm,
    pub digit_data: String,
    pub network: DigitNetwork,
    pub start: DigitStart,
    pub augment: bool,
    pub digits: Settings,
    pub classes: ClassForm,
    /// Runs are written to the data folder.
    #[serde(skip_serializing_if = "is_true")]
    pub keep: bool,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            subject: Subject::default(),
            text_data: String::new(),
            context: 128,
            text: Settings::text(),
            sample_prompts: String::new(),
            lora: LoraForm::default(),
            digit_data: String::new(),
            network: DigitNetwork::default(),
            start: DigitStart::default(),
            augment: false,
            digits: Settings::digits(),
            classes: ClassForm::default(),
            keep: true,
        }
    }
}

/// What is still missing before a run can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    TextModel,
    DigitModel,
    ShippedWeights,
    TextFile,
    DigitFolder,
    Body,
    Saving,
    LabelledFile,
    Snapshots,
}

impl Missing {
    /// What to do about it, as a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::TextModel => "Open a text model first.",
            Self::DigitModel => "Open a digit network first, or start from scratch.",
            Self::ShippedWeights => "No shipped weights of this network were found. Start from scratch.",
            Self::TextFile => "Choose a text file to train on.",
            Self::DigitFolder => "Choose a folder of MNIST files to train on.",
            Self::Body => "Open a model that reads text or pictures first.",
            Self::Saving => "Save the model first: a head is put on what its folder holds.",
            Self::Snapshots => "Snapshots name no steps: write “every 50”, “doubling”, or numbers such as 1, 10, 100.",
            Self::LabelledFile => "Choose labelled data to train on.",
        }
    }
}

impl Form {
    /// The prompts for samples; none of what writes no text.
    fn sample_prompts(&self) -> Vec<String> {
        let lines = self.sample_prompts.lines().map(str::trim_end).filter(|line| !line.is_empty());
        if self.subject == Subject::Text { lines.map(str::to_owned).collect() } else { Vec::new() }
    }

    /// The numbers of the subject chosen.
    pub fn settings(&mut self) -> &mut Settings {
        match self.subject {
            Subject::Digits => &mut self.digits,
            Subject::Text => &mut self.text,
            Subject::Classes => &mut self.classes.settings,
        }
    }

    /// The run described, and the model its weights are to be used under.
    ///
    /// # Errors
    /// What is still missing.
    pub fn spec(&self, state: &State) -> Result<(ModelId, TrainSpec), Missing> {
        let (model, task, start, settings) = match self.subject {
            Subject::Text => self.text_task(state)?,
            Subject::Digits => self.digit_task(state)?,
            Subject::Classes => self.classes.run(state)?,
        };
        let lora = match self.subject {
            Subject::Text => {
                let open = state.active(Ability::Continue).filter(|_| self.lora.on);
                open.map(|open| self.lora.spec(open.info.architecture))
            }
            Subject::Classes => self.classes.lora(state),
            Subject::Digits => None,
        };
        let spec = TrainSpec {
            task,
            start,
            out: None,
            precision: Precision::F32,
            lora,
            groups: Vec::new(),
            learning_rate: settings.learning_rate,
            schedule: settings.schedule,
            warmup_steps: settings.warmup_steps.min(settings.steps),
            weight_decay: settings.weight_decay,
            clip_norm: settings.clip_norm,
            batch_size: settings.batch_size,
            accumulate: settings.accumulate.max(1),
            steps: settings.steps,
            validation_share: settings.validation_percent / 100.0,
            learn_from: 1.0,
            eval_every: settings.eval_every,
            patience: if settings.validation_percent > 0.0 { settings.patience } else { 0 },
            seed: settings.seed,
            sample_prompts: self.sample_prompts(),
            snapshots: settings.snapshot_steps().map_err(|_| Missing::Snapshots)?,
        };
        Ok((model, spec))
    }

    fn text_task(&self, state: &State) -> Result<(ModelId, TrainTask, StartFrom, &Settings), Missing> {
        let model = state.active(Ability::Continue).ok_or(Missing::TextModel)?;
        let path = path(&self.text_data).ok_or(Missing::TextFile)?;
        let context = self.context.min(model.info.shape.context().map_or(usize::MAX, |longest| longest.max(1)));
        let task = TrainTask::Text(TextTask { data: vec![path], context, shape: None });
        Ok((model.info.id, task, StartFrom::OpenModel, &self.text))
    }

    fn digit_task(&self, state: &State) -> Result<(ModelId, TrainTask, StartFrom, &Settings), Missing> {
        let data = path(&self.digit_data).ok_or(Missing::DigitFolder)?;
        let (model, network, start) = match self.start {
            DigitStart::Scratch => (ModelId::next(), self.network, StartFrom::Scratch),
            DigitStart::Shipped => {
                let shipped = shipped(state, self.network).ok_or(Missing::ShippedWeights)?;
                (ModelId::next(), self.network, StartFrom::Folder { path: shipped })
            }
            DigitStart::Open => {
                let open = state.active(Ability::ReadDigits).ok_or(Missing::DigitModel)?;
                (open.info.id, network_of(open.info.architecture), StartFrom::OpenModel)
            }
        };
        let task = TrainTask::Digits(DigitTask { data, network, layers: None, augment: self.augment });
        Ok((model, task, start, &self.digits))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_true(value: &bool) -> bool {
    *value
}

fn path(text: &str) -> Option<PathBuf> {
    let text = text.trim();
    (!text.is_empty()).then(|| PathBuf::from(text))
}

fn network_of(architecture: Architecture) -> DigitNetwork {
    if architecture == Architecture::DigitCnn { DigitNetwork::Cnn } else { DigitNetwork::Mlp }
}

/// The folder of the shipped network of this kind.
fn shipped(state: &State, network: DigitNetwork) -> Option<PathBuf> {
    let word = match network {
        DigitNetwork::Mlp => "mlp",
        DigitNetwork::Cnn => "cnn",
    };
    let mut digits = state.shipped.iter().filter(|m| m.kind.can(Ability::ReadDigits));
    digits.find(|m| m.name.contains(word)).map(|m| m.path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ModelKind;
    use crate::ui::ShippedModel;

    fn state() -> State {
        let shipped = ["digits-cnn", "digits-mlp"].map(|name| ShippedModel {
            name: name.to_owned(),
            path: PathBuf::from("models").join(name),
            kind: ModelKind::DigitClassifier,
            few_shot: false,
        });
        let mut state = State::default();
        state.shipped = shipped.to_vec();
        state
    }

    #[test]
    fn a_digit_run_from_scratch_has_the_numbers_that_were_filled_in() {
        let mut form = Form { digit_data: " data/mnist ".to_owned(), augment: true, ..Form::default() };
        *form.settings() = Settings { learning_rate: 0.01, batch_size: 32, steps: 50, seed: 7, ..Settings::digits() };
        let (_, spec) = form.spec(&state()).unwrap();
        let task =
            DigitTask { data: PathBuf::from("data/mnist"), network: DigitNetwork::Mlp, layers: None, augment: true };
        assert_eq!(spec.task, TrainTask::Digits(task));
        assert_eq!(spec.start, StartFrom::Scratch);
        assert_eq!((spec.learning_rate, spec.batch_size, spec.steps, spec.seed), (0.01, 32, 50, 7));
        assert!((spec.validation_share - 0.1).abs() < 1e-12);
    }

    #[test]
    fn shipped_weights_are_those_of_the_network_chosen() {
        let form = Form {
            digit_data: "d".to_owned(),
            network: DigitNetwork::Cnn,
            start: DigitStart::Shipped,
            ..Form::default()
        };
        let (_, spec) = form.spec(&state()).unwrap();
        assert_eq!(spec.start, StartFrom::Folder { path: PathBuf::from("models/digits-cnn") });
    }

    #[test]
    fn targets_are_those_filled_in_or_the_usual_ones() {
        let form = LoraForm { targets: " q_proj,down_proj , ".to_owned(), ..LoraForm::default() };
        assert_eq!(form.spec(Architecture::Llama).targets, ["q_proj", "down_proj"]);
        let usual = |architecture| LoraForm::default().spec(architecture).targets;
        assert_eq!(usual(Architecture::Qwen2), ["q_proj", "v_proj"]);
        assert_eq!(usual(Architecture::Gpt2), ["c_attn"]);
        assert_eq!(usual(Architecture::Bert), ["query", "value"]);
        assert_eq!(usual(Architecture::DistilBert), ["q_lin", "v_lin"]);
        assert_eq!(usual(Architecture::Vit), ["q_proj", "v_proj"]);
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut form = Form::default();
        assert_eq!(form.spec(&state()).unwrap_err(), Missing::DigitFolder);
        form.digit_data = "d".to_owned();
        form.start = DigitStart::Open;
        assert_eq!(form.spec(&state()).unwrap_err(), Missing::DigitModel);
        form.subject = Subject::Text;
        assert_eq!(form.spec(&state()).unwrap_err(), Missing::TextModel);
    }

    #[test]
    fn numbers_of_both_subjects_are_kept_apart() {
        let mut form = Form::default();
        form.settings().steps = 11;
        form.subject = Subject::Text;
        form.settings().steps = 22;
        form.subject = Subject::Digits;
        assert_eq!(form.settings().steps, 11);
        let json = serde_json::to_value(&form).unwrap();
        assert_eq!(serde_json::from_value::<Form>(json).unwrap(), form);
    }
}
