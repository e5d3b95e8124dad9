//! What the engine can be asked to do, and the one table of what is known of each kind of work.
//!
//! A new kind costs one variant of [`Work`], one row of [`Work::facts`], one task and one [`super::Outcome`].

use super::PromptInput;
use crate::types::{
    AdaptPoint, AdaptSpec, AdapterSetting, AddedPart, BaselinesSpec, BatchSpec, DigitImage, Edit, EvaluateSpec,
    FitSpec, JacobianLens, KShotSpec, LabelledSource, LossesSpec, MemorySpec, PaceSpec, PatchAlong, PatchSite, Picture,
    Precision, Removal, Sampling, ScoreEachRequest, ScoreRequest, SiteFilter, StepKind, StepsReport, TrainSpec,
    WriteTextSpec,
};
use std::path::PathBuf;
use std::sync::Arc;

/// One thing to do, mostly with a model: the one that the command names.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Read a model folder. Until then a model with the same id stays usable.
    Open(PathBuf),
    /// Build the model that a folder's `config.json` describes, with random weights; for measurements of speed. Works
    /// without weights and tokenizer.
    OpenRandom(RandomModel),
    /// Read an adapter in PEFT's layout and put it on a model that is open. [`super::Event::Model`] tells of it.
    OpenAdapter(AdapterSpec),
    /// Use the adapter of an open model in another way; nothing takes it off.
    SetAdapter(Option<AdapterSetting>),
    /// Stream tokens. [`super::Event::Prompted`] comes first, then [`super::Event::Token`]s.
    Generate(GenerateSpec),
    /// Draw several continuations of a prompt that is read once. [`super::Event::Progress`] in samples; with the samples so far when
    /// it is cancelled.
    Samples(SamplesSpec),
    /// Work of a causal model as it is without its adapter, which stays where it is: a generation, samples, or what else reads and does
    /// not change the model.
    OnBase(Box<Work>),
    /// How surprised a model is by each token of a text.
    Surprise(SurpriseSpec),
    /// What is said next without edits and with them.
    CompareNext(EditedNextSpec),
    /// Which of these edits can be made in a model, each by itself.
    CheckEdits(Vec<Edit>),
    /// Which tokens lines of logit bias mean. Waits for a model that is being opened.
    ReadBias(String),
    /// One uncached forward pass over a sequence.
    Inspect(InspectSpec),
    /// The first site of such a pass, chosen or not, with a value that is not a finite number.
    FindBroken(InspectSpec),
    /// What each head writes into the residual stream for each token, in all layers: lengths and angles, by which attention
    /// is weighed. [`super::Event::Progress`] in layers.
    MeasureWrites(WritesSpec),
    /// What the residual stream would say after each layer, at every token. [`super::Event::Progress`] in tokens.
    Lens(LensSpec),
    /// Fit a Jacobian lens, to be read with. [`super::Event::Progress`] first in tokens that are written, then in rows; with the lens of
    /// the passages that are done when it is cancelled.
    FitLens(FitSpec),
    /// Read such a lens from a file, and hold it against the model.
    OpenLens(PathBuf),
    /// What the score of a token is made of.
    Attribute(AttributeSpec),
    /// Remove each head and each MLP by itself and tell what becomes of an answer. [`super::Event::SoFar`] as layers are tried,
    /// the last first; with what was tried so far when it is cancelled.
    Sweep(SweepSpec),
    /// Put values of one prompt into the pass over another and tell what becomes of the answer. [`super::Event::SoFar`] as layers are
    /// tried, the last first; with what was tried so far when it is cancelled.
    Patch(PatchSpec),
    /// Compare a word in two texts, layer by layer. [`super::Event::Progress`] in layers.
    CompareContexts(ContextsSpec),
    /// Tell which tokens' embeddings are nearest to that of a word.
    Neighbours(NeighboursSpec),
    /// Read a text without positions, with two of them swapped and with its tokens in other places, and compare each with the
    /// text as written. [`super::Event::Progress`] in passes.
    ChangeOrder(WordOrderSpec),
    /// The arithmetic of one token in one head, step by step, from its embedding to the scores: one uncached pass.
    Steps(StepsSpec),
    /// The sum that made one number of such steps, term by term. Reads weights and makes no pass.
    Terms(TermsSpec),
    /// Split a prompt into tokens, on a thread of its own, so that they are there at once even while the engine is in the
    /// middle of a long step. Waits for a model that is being opened.
    Tokenize(PromptInput),
    /// Read one digit.
    Classify(DigitImage),
    /// Turn texts into vectors with an encoder.
    Embed(Vec<String>),
    /// Guess every mask of a text with an encoder.
    Fill(FillSpec),
    /// Tell which class each of some texts belongs to. [`super::Event::Progress`] in texts.
    ClassifyTexts(Vec<String>),
    /// Tell what a picture shows.
    ClassifyPicture(Picture),
    /// How likely each of some answers is.
    Score(ScoreRequest),
    /// The same after each of many prompts, with those so far when it is cancelled. [`super::Event::Progress`] in prompts.
    ScoreEach(ScoreEachRequest),
    /// Ask every query of a table with one prompt. [`super::Event::Progress`] in queries.
    Batch(BatchSpec),
    /// Accuracy against the number of examples. [`super::Event::KShot`] as points are measured; with the points so far when
    /// it is cancelled.
    KShot(KShotSpec),
    /// Adapt a model to one task in several ways, and measure each. [`super::Event::SoFar`] as points are measured; with the points so far
    /// when it is cancelled.
    Adapt(Box<AdaptWork>),
    /// Read a table of pairs from a TSV, CSV or JSONL file. Needs no model.
    ReadTable(PathBuf),
    /// Read labelled data, and tell what it holds and how it is split. Needs no model.
    ReadLabelled(LabelledSource),
    /// The SHA-256 of the weights of an open model, by which an exported run names it.
    Fingerprint,
    /// Measure a model on a folder or file.
    Evaluate(EvaluateSpec),
    /// What counting alone reaches on a text, for an open model, or with vocabularies that are learned where none is open under the id.
    /// [`super::Event::Progress`] in bytes.
    Baselines(BaselinesSpec),
    /// What each of some examples costs this model and the one before. [`super::Event::SoFar`] as they are measured, in the order of the
    /// data; with those measured so far when it is cancelled.
    CompareLosses(LossesSpec),
    /// How much the loss of the last token of a text depends on each token before.
    Forget(ForgetSpec),
    /// What a recurrent model keeps of a text: gates, cells and outputs of each layer at each token.
    WatchStates(PromptInput),
    /// Ask a model for what stood some tokens before. [`super::Event::SoFar`] as it is asked; with the distances that were asked at in
    /// full when it is cancelled.
    Remember(MemorySpec),
    /// Measure how many tokens a second networks read and learn. Needs no model. [`super::Event::SoFar`] as points are measured; with those
    /// measured so far when it is cancelled.
    Pace(Box<PaceSpec>),
    /// Measure how fast the device reads memory, and count what a token of a causal model reads. Takes half a gigabyte for a
    /// moment.
    MeasureMemory,
    /// Train. The model is where the weights in training can be used from, while the run goes on and afterwards: an open
    /// model for [`crate::types::StartFrom::OpenModel`], else a new id.
    Train(TrainSpec),
    /// Take two steps of a training run on a copy of its weights and throw them away, to tell what the run would cost.
    TryTraining(TrainSpec),
    /// Read the weights of a snapshot of a run. The model has them from then on, in the place of those it had; it may be new.
    ShowSnapshot(SnapshotSpec),
    /// Write a model as a folder that Fovea and transformers open.
    Save(SaveSpec),
    /// Let a model write a text from nothing into a file. The model is opened for it alone. [`super::Event::Progress`] in tokens.
    WriteText(WriteTextSpec),
}

/// A model with random weights.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomModel {
    /// The folder with its `config.json`.
    pub path: PathBuf,
    /// Of the weights.
    pub seed: u64,
    /// What the weights are kept in: F32 or F16.
    pub precision: Precision,
}

/// An adapter to open.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterSpec {
    /// Its folder.
    pub path: PathBuf,
    /// How it is used from then on.
    pub setting: AdapterSetting,
}

/// A continuation.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateSpec {
    /// What is continued.
    pub prompt: PromptInput,
    /// How tokens are drawn, and when it ends.
    pub sampling: Sampling,
    /// Changes inside the model.
    pub edits: Vec<Edit>,
}

/// Several continuations of one prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplesSpec {
    /// What is continued, and how; its seed is that of the first sample, and each further one has the next.
    pub generate: GenerateSpec,
    /// How many.
    pub count: usize,
}

/// A text that is read and not written.
#[derive(Clone, Debug, PartialEq)]
pub struct SurpriseSpec {
    /// What is read.
    pub prompt: PromptInput,
    /// Changes inside the model.
    pub edits: Vec<Edit>,
}

/// A text from whose end is looked back.
#[derive(Clone, Debug, PartialEq)]
pub struct ForgetSpec {
    /// What is read; the last token is the one that is predicted.
    pub prompt: PromptInput,
    /// Changes inside the model.
    pub edits: Vec<Edit>,
}

/// A prompt that is read without edits and with them.
#[derive(Clone, Debug, PartialEq)]
pub struct EditedNextSpec {
    /// What is read.
    pub prompt: PromptInput,
    /// Likeliest tokens told of each.
    pub top: usize,
    /// Changes inside the model.
    pub edits: Vec<Edit>,
}

/// A look inside.
#[derive(Clone, Debug, PartialEq)]
pub struct InspectSpec {
    /// What is read.
    pub prompt: PromptInput,
    /// Which values are captured.
    pub sites: SiteFilter,
    /// Changes inside the model.
    pub edits: Vec<Edit>,
}

/// A prompt whose tokens heads write something for.
#[derive(Clone, Debug, PartialEq)]
pub struct WritesSpec {
    /// What is read.
    pub prompt: PromptInput,
    /// Changes inside the model.
    pub edits: Vec<Edit>,
}

/// What each part of a model does for an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepSpec {
    /// What is read.
    pub prompt: PromptInput,
    /// The token behind which the answer is told, counted from the first; unless told the last, of an encoder the first mask.
    pub position: Option<usize>,
    /// A text whose first token is the answer, or a class; unless told, what the model makes likeliest.
    pub target: Option<String>,
    /// What is done to each part.
    pub removal: Removal,
    /// Changes that hold all the while.
    pub edits: Vec<Edit>,
}

/// Values of one prompt in the pass over another.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchSpec {
    /// What values are taken from.
    pub source: PromptInput,
    /// What is read, as many tokens.
    pub destination: PromptInput,
    /// The token behind which the answer is told, counted from the first; unless told the last, of an encoder the first mask.
    pub position: Option<usize>,
    /// Texts whose first tokens are the source's answer and the destination's; unless told, what the model makes likeliest in each.
    pub answers: [Option<String>; 2],
    /// What is taken over.
    pub site: PatchSite,
    /// What a column of the map is.
    pub along: PatchAlong,
    /// How the map is made.
    pub how: PatchHow,
    /// Changes that hold all the while.
    pub edits: Vec<Edit>,
}

/// How a map of patching is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchHow {
    /// Every cell is measured.
    Measure,
    /// Every cell is estimated: one pass and one gradient.
    Estimate,
    /// Every cell is estimated, and so many of the largest are measured.
    Check(usize),
}

/// A word in two texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextsSpec {
    /// The texts.
    pub texts: [String; 2],
    /// A word that both have; of several places the last counts.
    pub word: String,
}

/// A word among all tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighboursSpec {
    /// The word, as it stands in a text: with a space before it where it has one there.
    pub word: String,
    /// How many tokens are told.
    pub count: usize,
}

/// A text and its other orders.
#[derive(Clone, Debug, PartialEq)]
pub struct WordOrderSpec {
    /// What is read.
    pub prompt: PromptInput,
    /// The token whose vector is followed, counted from the first.
    pub token: usize,
    /// The two that are told each other's positions; `None` swaps none.
    pub swap: Option<[usize; 2]>,
    /// Which token stands in each place of the shuffled text: every one once.
    pub order: Vec<usize>,
}

/// What each layer would say.
#[derive(Clone, Debug, PartialEq)]
pub struct LensSpec {
    /// What is read.
    pub prompt: PromptInput,
    /// A text whose first token is followed through all layers; nothing follows, at each token, what the model says there in
    /// the end.
    pub target: Option<String>,
    /// The lens that states are read through, one that was fitted on this model; none is the logit lens, which takes them as they are.
    pub fitted: Option<Arc<JacobianLens>>,
    /// Changes while it is read. What is behind the residual stream (`ln_final`, `logits`) is not changed.
    pub edits: Vec<Edit>,
}

/// What the score of a token is made of, or that of a class of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeSpec {
    /// What is read.
    pub prompt: PromptInput,
    /// The token at which the score is told, counted from the first; the last unless told. Pictures have none.
    pub position: Option<usize>,
    /// A text whose first token is meant, or the name or number of a class; unless told, what the model makes likeliest.
    pub target: Option<String>,
    /// The same for what it is compared with; unless told, the mean over all.
    pub against: Option<String>,
    /// Changes while it is read.
    pub edits: Vec<Edit>,
    /// A head or an MLP without which the score is told, too.
    pub removed: Option<AddedPart>,
}

/// The arithmetic of one token in one head.
#[derive(Clone, Debug, PartialEq)]
pub struct StepsSpec {
    /// What is read.
    pub prompt: PromptInput,
    /// The block.
    pub layer: usize,
    /// The head.
    pub head: usize,
    /// The token that looks, counted from the first.
    pub query: usize,
    /// The token that is looked at.
    pub key: usize,
}

/// One number of some steps.
#[derive(Clone, Debug, PartialEq)]
pub struct TermsSpec {
    /// The steps, as the same model made them.
    pub steps: Arc<StepsReport>,
    /// Which step.
    pub kind: StepKind,
    /// Which of its numbers.
    pub index: usize,
}

/// A text with masks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillSpec {
    /// The text.
    pub text: String,
    /// Likeliest tokens told of each mask.
    pub top: usize,
}

/// Ways to adapt a model, compared.
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptWork {
    /// What is compared.
    pub spec: AdaptSpec,
    /// Points that were measured before, with the same model and data.
    pub known: Vec<AdaptPoint>,
}

/// A snapshot of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotSpec {
    /// The run's folder.
    pub run: PathBuf,
    /// Optimiser steps done.
    pub step: usize,
}

/// A folder to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaveSpec {
    /// The folder.
    pub path: PathBuf,
    /// Element type of the weights.
    pub precision: Precision,
}

/// What is known of a kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkFacts {
    /// Its name at the start of a sentence.
    pub name: &'static str,
    /// What it does, as a present participle.
    pub doing: &'static str,
    /// When it takes its turns.
    pub turn: Turn,
    /// True when a newer one for the same model drops those that wait, without a word.
    pub latest_wins: bool,
    /// How long what it brought is kept.
    pub kept: Kept,
}

/// When work takes its turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A person waits for it: before what runs on its own.
    Waited,
    /// It runs on its own, and still advances.
    Background,
    /// On the tokenizer's thread, past all others.
    Aside,
}

/// How long what a job brought is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// As long as somebody shows it.
    WhileShown,
    /// As long as somebody shows it, and then while there is room.
    Spare,
    /// As long as the program runs.
    Always,
}

impl Work {
    /// What is done, with or without an adapter.
    #[must_use]
    pub fn itself(&self) -> &Self {
        match self {
            Self::OnBase(work) => work.itself(),
            other => other,
        }
    }

    /// The table.
    #[must_use]
    pub fn facts(&self) -> WorkFacts {
        use Kept::{Always, Spare, WhileShown};
        use Turn::{Aside, Background, Waited};
        let row = |name, doing, turn, kept| WorkFacts { name, doing, turn, latest_wins: false, kept };
        match self {
            Self::Open(_) | Self::OpenRandom(_) => row("Opening the model", "opening", Waited, Spare),
            Self::OpenAdapter(_) => row("Opening the adapter", "opening", Waited, WhileShown),
            // Only the newest factor matters.
            Self::SetAdapter(_) => {
                WorkFacts { latest_wins: true, ..row("Setting the adapter", "merging", Waited, WhileShown) }
            }
            Self::Generate(_) => row("The generation", "generating", Waited, Spare),
            Self::Samples(_) => row("Drawing the samples", "generating", Waited, Spare),
            Self::OnBase(work) => work.facts(),
            Self::Surprise(_) => row("Measuring the surprise", "reading", Waited, Spare),
            Self::CompareNext(_) => row("Comparing the next token", "reading", Waited, Spare),
            // Only the newest list matters.
            Self::CheckEdits(_) => {
                WorkFacts { latest_wins: true, ..row("Checking the edits", "reading", Waited, WhileShown) }
            }
            Self::ReadBias(_) => row("Reading the logit bias", "reading", Aside, WhileShown),
            Self::Inspect(_) => row("The inspection", "inspecting", Waited, Spare),
            Self::FindBroken(_) => row("Looking for what is no number", "inspecting", Waited, Spare),
            Self::MeasureWrites(_) => row("Measuring what heads write", "inspecting", Waited, Spare),
            Self::Lens(_) => row("Reading the layers", "inspecting", Waited, Spare),
            Self::FitLens(_) => row("Fitting the lens", "fitting a lens", Background, Spare),
            Self::OpenLens(_) => row("Opening the lens", "reading", Waited, Spare),
            Self::Attribute(_) => row("The attribution", "inspecting", Waited, Spare),
            Self::Sweep(_) => row("The sweep", "removing parts", Waited, Spare),
            Self::Patch(_) => row("The patching", "patching", Waited, Spare),
            Self::CompareContexts(_) => row("Comparing the contexts", "inspecting", Waited, Spare),
            // Only the word that is in the field matters.
            Self::Neighbours(_) => {
                WorkFacts { latest_wins: true, ..row("Finding the neighbours", "reading", Waited, Spare) }
            }
            Self::ChangeOrder(_) => row("Changing the order", "inspecting", Waited, Spare),
            Self::Steps(_) => row("Following the steps", "reading", Waited, Spare),
            // Only the number that is pointed at matters.
            Self::Terms(_) => {
                WorkFacts { latest_wins: true, ..row("Finding the terms", "reading", Waited, WhileShown) }
            }
            Self::Tokenize(_) => row("Splitting the prompt into tokens", "tokenizing", Aside, WhileShown),
            // Only the newest drawing matters.
            Self::Classify(_) => {
                WorkFacts { latest_wins: true, ..row("The classification", "reading", Waited, WhileShown) }
            }
            Self::Embed(_) => row("The embedding", "embedding", Waited, Spare),
            Self::Fill(_) => row("Filling the masks", "filling", Waited, Spare),
            Self::ClassifyTexts(_) | Self::ClassifyPicture(_) => row("The classification", "reading", Waited, Spare),
            Self::ScoreEach(_) => row("The scoring", "scoring", Waited, Spare),
            Self::Score(_) => row("The scoring", "scoring", Waited, Spare),
            Self::Batch(_) => row("The batch", "measuring", Background, Spare),
            Self::Adapt(_) => row("The comparison of ways", "adapting", Background, Always),
            Self::KShot(_) => row("The k-shot curve", "measuring", Background, Spare),
            Self::ReadLabelled(_) => row("Reading the labelled data", "reading", Waited, Spare),
            Self::ReadTable(_) => row("Reading the table", "reading", Waited, Spare),
            Self::Fingerprint => row("The fingerprint", "hashing", Waited, Spare),
            Self::Baselines(_) => row("Counting the text", "counting", Background, Spare),
            Self::Evaluate(_) => row("The evaluation", "evaluating", Background, Always),
            Self::CompareLosses(_) => row("Comparing the losses", "measuring", Background, Spare),
            Self::Forget(_) => row("Looking back", "looking back", Waited, Spare),
            Self::WatchStates(_) => row("Watching the states", "inspecting", Waited, Spare),
            Self::Remember(_) => row("Asking what is remembered", "asking", Background, Spare),
            Self::Pace(_) => row("Measuring the pace", "measuring", Background, Spare),
            Self::MeasureMemory => row("Measuring the memory", "measuring", Waited, Spare),
            Self::Train(_) => row("The training run", "training", Background, Always),
            Self::TryTraining(_) => row("The trial of two steps", "trying two steps", Background, Spare),
            // Only the step that is looked at matters.
            Self::ShowSnapshot(_) => {
                WorkFacts { latest_wins: true, ..row("Opening the snapshot", "opening", Waited, WhileShown) }
            }
            Self::Save(_) => row("Saving the model", "saving", Waited, Spare),
            Self::WriteText(_) => row("Writing the text", "writing", Background, Spare),
        }
    }
}
