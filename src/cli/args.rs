//! What can be written on the command line.

use super::adapt::AdaptArgs;
use super::attribute::AttributeArgs;
use super::baselines::BaselinesArgs;
use super::bench::BenchArgs;
use super::classify::ClassifyArgs;
use super::compare::CompareArgs;
use super::convert::ConvertArgs;
use super::curves::CurvesArgs;
use super::embed::EmbedArgs;
use super::evaluate::EvaluateArgs;
use super::fill::FillArgs;
use super::fit_lens::FitLensArgs;
use super::forget::{ForgetArgs, StatesArgs};
use super::heads::HeadsArgs;
use super::labels::LabelsArgs;
use super::lens::LensArgs;
use super::memory::MemoryArgs;
use super::merge::MergeArgs;
use super::pace::PaceArgs;
use super::patch::PatchArgs;
use super::sampling::SamplingArgs;
use super::similarity::SimilarityArgs;
use super::snapshots::SnapshotsArgs;
use super::surprise::SurpriseArgs;
use super::sweep::SweepArgs;
use super::texts::TextsArgs;
use super::write::WriteArgs;
use crate::types::{ChatEnding, DeviceChoice, Edit, Precision, UserError};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A playground for foundation models. Without a command it opens its window.
#[derive(Debug, Parser)]
#[command(name = "fovea", version, about)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Open the window with a model folder
    Open {
        /// A folder in Hugging Face layout, a GGUF file, or the name of a model that is shipped, in the Hugging Face cache, LM Studio's or ollama's
        dir: PathBuf,
    },
    /// Continue a prompt, or answer in a chat
    Generate(GenerateArgs),
    /// Print a conversation as the chat template of a model writes it
    ChatTemplate(ChatTemplateArgs),
    /// Write the values at sites inside the model to a file of arrays
    Inspect(InspectArgs),
    /// Tell how likely each of some answers is after a prompt
    Score(ScoreArgs),
    /// Tell how surprised a model is by each token of a text
    Surprise(SurpriseArgs),
    /// Ask models for what stood some tokens before, at distances up to 128; Ctrl-C ends with what there is
    Memory(MemoryArgs),
    /// Measure how many tokens a second networks read and learn, on one core, on all, and on a GPU; Ctrl-C ends with what there is
    Pace(PaceArgs),
    /// Tell how much what is said at the end of a text depends on each token before: the gradient to each embedding
    Forget(ForgetArgs),
    /// Write what a recurrent model keeps of a text: gates, cells and outputs of each layer at each token
    States(StatesArgs),
    /// Measure accuracy against the number of examples in the prompt; Ctrl-C ends with what there is
    Kshot(KShotArgs),
    /// Adapt a model to one task in several ways, and compare what they reach and cost; Ctrl-C ends with what there is
    Adapt(Box<AdaptArgs>),
    /// Score every head: previous token, sink, induction and more, on a text or on random tokens said twice
    Heads(HeadsArgs),
    /// Tell what each layer would say: the logit lens
    Lens(LensArgs),
    /// Fit a Jacobian lens: what states become at the end of the model, on average; Ctrl-C ends with what there is
    FitLens(FitLensArgs),
    /// Take the score of a token apart: what embedding, heads and MLPs add to it
    Attribute(AttributeArgs),
    /// Remove each head and each MLP by itself, and tell what becomes of an answer
    Sweep(SweepArgs),
    /// Put values of one prompt into the pass over another, and tell where its answer comes from
    Patch(PatchArgs),
    /// Turn texts into vectors with an encoder, and tell how alike they are
    Embed(EmbedArgs),
    /// Tell how well the vectors of an encoder say which texts people find alike
    Similarity(SimilarityArgs),
    /// Guess the masked words of a text with an encoder
    Fill(FillArgs),
    /// Tell the class of a text, or what an image shows: a digit, or one of the classes of a vision transformer
    Classify(ClassifyArgs),
    /// Tell what labelled data holds and how it is split: columns, counts of each label, what comes twice
    Labels(LabelsArgs),
    /// Measure a model: digits on an IDX folder, labelled texts or pictures, text on a file
    Evaluate(EvaluateArgs),
    /// Tell what counting alone reaches on a text: the next token in bits per byte, blanks by their neighbours
    Baselines(BaselinesArgs),
    /// Let a model write a text from nothing, for others to learn from
    Write(WriteArgs),
    /// Tell what each example costs a model and the one it was made of; Ctrl-C ends with what there is
    Compare(CompareArgs),
    /// Train from a TOML file or a preset; Ctrl-C saves, the same command goes on
    Train(TrainArgs),
    /// Tell what was noted of a run at the steps that were chosen: loss, scores of heads, how far its weights went
    Snapshots(SnapshotsArgs),
    /// List the models of this computer: shipped, in the Hugging Face cache, opened lately
    Models(ModelsArgs),
    /// Fetch a model into the Hugging Face cache; Ctrl-C stops, the same command goes on
    Fetch(FetchArgs),
    /// Describe a model: shape, memory, operations, licence, files
    Card(CardArgs),
    /// Write a model in another format: a safetensors folder, or one GGUF file
    Convert(ConvertArgs),
    /// Merge an adapter into its base and write the whole model as a folder
    Merge(MergeArgs),
    /// Measure speed and memory
    Bench(BenchArgs),
    /// Draw a figure into a file
    Figure {
        /// Which figure.
        #[command(subcommand)]
        figure: Figure,
    },
    /// List what Fovea is made of and under which licences, or print those of one part
    Licences(LicencesArgs),
    /// Print what a shell needs to complete commands, options and their values
    Completions(CompletionsArgs),
    /// Print the manual page of the program, or write those of all commands
    Man(ManArgs),
}

/// The figures.
#[derive(Debug, Subcommand)]
pub enum Figure {
    /// The attention pattern of one head
    Attention(AttentionArgs),
    /// Learning curves over each other
    Curves(CurvesArgs),
}

/// The model and where it runs.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// A folder in Hugging Face layout, a GGUF file, or the name of a model that is shipped, in the Hugging Face cache, LM Studio's or ollama's
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Put an adapter in PEFT's layout (LoRA) on the model: its folder, or its name in the Hugging Face cache; =FACTOR multiplies its
    /// change, from 0 to 2
    #[arg(long, value_name = "DIR[=FACTOR]")]
    pub adapter: Option<String>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    pub device: DeviceName,
}

/// Changes inside the model.
#[derive(Debug, Args)]
pub struct EditArgs {
    /// Change values inside the model; may be given several times. HEADS and POSITIONS are lists like 0,3..5 (3, 4 and 5) and
    /// mean all when left out, * in SITE stands for any text, and position -1 is the prompt's last token. CHANGE is zero,
    /// mean (over the prompt), mean over ["a prompt", ..] (over all tokens of those), from "another prompt" (its values,
    /// position for position), scale X, hide (a key from all other tokens, at attn.scores), swap (two positions, at pos_embed
    /// or rotary) or, of a whole block such as blocks.3, skip; at scores and pattern @QUERIES>KEYS chooses both sides
    #[arg(long, value_name = "SITE[HEADS]@POSITIONS = CHANGE")]
    pub edit: Vec<String>,
}

impl EditArgs {
    /// The edits in their order.
    ///
    /// # Errors
    /// When one is not written as it should be.
    pub fn edits(&self) -> Result<Vec<Edit>, UserError> {
        self.edit.iter().map(|text| text.parse()).collect()
    }
}

/// `--weights` on the command line.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum WeightType {
    /// 32-bit floating point
    #[default]
    F32,
    /// IEEE half precision
    F16,
}

impl From<WeightType> for Precision {
    fn from(name: WeightType) -> Self {
        match name {
            WeightType::F32 => Self::F32,
            WeightType::F16 => Self::F16,
        }
    }
}

/// `--device` on the command line.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum DeviceName {
    /// A GPU if there is one that passes its check, else the CPU
    #[default]
    Auto,
    /// The first GPU adapter, a software one included
    Gpu,
    /// The CPU
    Cpu,
}

impl From<DeviceName> for DeviceChoice {
    fn from(name: DeviceName) -> Self {
        match name {
            DeviceName::Auto => Self::Auto,
            DeviceName::Gpu => Self::Gpu,
            DeviceName::Cpu => Self::Cpu,
        }
    }
}

/// `fovea generate`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("asked").args(["prompt", "chat", "messages"]).required(true))]
pub struct GenerateArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub edits: EditArgs,
    /// The text to continue
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    #[command(flatten)]
    pub chat: ChatArgs,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// Have another model answer the same with the same settings and seed: a folder or a name as of --model
    #[arg(long, value_name = "DIR")]
    pub beside: Option<PathBuf>,
    /// Draw this many continuations, each with the next seed, and tell how far they agree
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub samples: usize,
    /// Stop when the output holds this text, which is cut off; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// One JSON object a line: every token with its alternatives, then how it ended
    #[arg(long)]
    pub json: bool,
}

/// A conversation. Whoever reads it answers: where an assistant's turn stands last, it is continued.
#[derive(Debug, Args)]
pub struct ChatArgs {
    /// Take a conversation from --system, --user and --assistant
    #[arg(long, requires = "user")]
    pub chat: bool,
    /// How the assistant should behave
    #[arg(long, value_name = "TEXT", requires = "chat")]
    pub system: Option<String>,
    /// What the user says; may be given several times, in turns with --assistant
    #[arg(long, value_name = "TEXT", requires = "chat")]
    pub user: Vec<String>,
    /// What the assistant said; as many as --user continues the last one
    #[arg(long, value_name = "TEXT", requires = "chat")]
    pub assistant: Vec<String>,
    /// Take the conversation from a JSON file: a list of messages, or an object with messages, tools and other variables
    #[arg(long, value_name = "FILE")]
    pub messages: Option<PathBuf>,
    /// Use the model's template of this name
    #[arg(long, value_name = "NAME", conflicts_with = "lines")]
    pub template: Option<String>,
    /// Write the turns as lines (User: … Assistant: …), for models without a chat template
    #[arg(long)]
    pub lines: bool,
}

/// `fovea chat-template`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("asked").args(["chat", "messages"]).required(true))]
pub struct ChatTemplateArgs {
    /// A folder in Hugging Face layout, or the name of a shipped model; needs no weights
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    #[command(flatten)]
    pub chat: ChatArgs,
    /// How the text ends; without it, as `generate` ends it
    #[arg(long, value_enum, value_name = "HOW")]
    pub ending: Option<EndingName>,
}

/// `--ending` on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum EndingName {
    /// The last message is closed
    Closed,
    /// An assistant's turn begins (add_generation_prompt)
    GenerationPrompt,
    /// The last message stays open (continue_final_message)
    Continue,
}

impl From<EndingName> for ChatEnding {
    fn from(name: EndingName) -> Self {
        match name {
            EndingName::Closed => Self::Closed,
            EndingName::GenerationPrompt => Self::GenerationPrompt,
            EndingName::Continue => Self::ContinueFinal,
        }
    }
}

/// `fovea inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub edits: EditArgs,
    #[command(flatten)]
    pub input: InputArgs,
    /// Site names separated by commas; * stands for any text [default: blocks.*.attn.pattern, and logits of a model that
    /// has them]
    #[arg(long, value_name = "SITES")]
    pub sites: Option<String>,
    /// The file to write: NPZ if its name ends in .npz, safetensors otherwise
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// A prompt as text, as ids, or a picture.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct InputArgs {
    /// The text to read
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// Token ids separated by commas, used as they are
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub ids: Option<Vec<u32>>,
    /// A PNG, JPEG or WebP for a vision transformer
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
}

/// `fovea score`.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub edits: EditArgs,
    /// The text up to where the answer would begin; without a space at its end
    #[arg(long, value_name = "TEXT", required_unless_present = "data", conflicts_with = "data")]
    pub prompt: Option<String>,
    #[command(flatten)]
    pub texts: TextsArgs,
    /// An answer; may be given several times. A space is put before it where neither side has white space
    #[arg(long, value_name = "TEXT", required = true)]
    pub candidate: Vec<String>,
    /// What follows an answer and is scored with it, such as a line break
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub ending: String,
    /// Calibrate by the shares of the answers where this part of the prompt, the query, says nothing (Zhao et al. 2021)
    #[arg(long, value_name = "QUERY", conflicts_with = "data")]
    pub calibrate: Option<String>,
    /// Every answer with its tokens as a JSON object; of a file, an object a line
    #[arg(long)]
    pub json: bool,
}

/// `--labels` on the command line.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum LabelName {
    /// The examples' own answers
    #[default]
    True,
    /// Changed among the examples, so that most are wrong
    Shuffled,
    /// Drawn at random
    Random,
}

/// `--pairs` on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PairsName {
    /// Every pair of the table
    #[default]
    All,
    /// Those the model's training did not leave out, as the fewshot.json beside it tells
    Seen,
}

/// `fovea kshot`.
#[derive(Debug, Args)]
pub struct KShotArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub edits: EditArgs,
    /// A shipped task, or a TSV, CSV or JSONL file of pairs; may be given several times
    #[arg(long, value_name = "FILE|NAME", required = true)]
    pub task: Vec<String>,
    /// Numbers of examples, separated by commas
    #[arg(long, value_name = "NUMBERS", default_value = "0,1,2,4,8", allow_hyphen_values = true)]
    pub k: String,
    /// Repeat with this many seeds, each with other examples and queries
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub seeds: u64,
    /// Queries of each seed
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub queries: usize,
    /// What the examples' answers are (Min et al. 2022)
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    pub labels: LabelName,
    /// Which pairs examples and queries are drawn from
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    pub pairs: PairsName,
    /// Write examples another way than the task's file says, such as "{input} >> {output}"; \n is a line break
    #[arg(long, value_name = "TEXT")]
    pub template: Option<String>,
    /// Draw examples as they fall, as before no label was left out
    #[arg(long)]
    pub plain_draw: bool,
    /// Leave the instruction out
    #[arg(long)]
    pub no_instruction: bool,
    /// Choose among labels after contextual calibration (Zhao et al. 2021)
    #[arg(long)]
    pub calibrate: bool,
    /// Every task's points and answers as a JSON object a line
    #[arg(long, conflicts_with = "out")]
    pub json: bool,
    /// Also draw the curves into this file: its ending (svg, png or csv) chooses the format
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `fovea train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// What to train, from what and how: a TOML file
    #[arg(value_name = "SPEC.toml", required_unless_present = "preset", conflicts_with = "preset")]
    pub spec: Option<PathBuf>,
    /// A recipe that comes with Fovea
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Print that recipe, to begin one of your own, and train nothing
    #[arg(long, requires = "preset")]
    pub show: bool,
    /// Train on this file or folder instead of the one in the recipe; where a recipe names several, the folder that stands for
    /// its data/
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// How the weights of the result are written
    #[arg(long, value_enum, value_name = "TYPE", default_value_t)]
    pub precision: WeightType,
    /// Write the result into this folder instead of the one in the recipe, or of trained/NAME
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    pub device: DeviceName,
}

/// `fovea models`.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// The list as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// `fovea fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// The model's name, as in openai-community/gpt2
    #[arg(value_name = "OWNER/NAME")]
    pub id: String,
}

/// `fovea card`.
#[derive(Debug, Args)]
pub struct CardArgs {
    /// A folder in Hugging Face layout, a GGUF file, or the name of a model that is shipped, in the Hugging Face cache, LM Studio's or ollama's
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Every tensor with its shape, element type and bytes as well
    #[arg(long)]
    pub tensors: bool,
    /// The card as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// `fovea figure attention`.
#[derive(Debug, Args)]
pub struct AttentionArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// The text to read
    #[arg(long, value_name = "TEXT")]
    pub prompt: String,
    /// The layer, from 0
    #[arg(long, value_name = "L")]
    pub layer: usize,
    /// The head, from 0
    #[arg(long, value_name = "H")]
    pub head: usize,
    /// The file to write: its ending (svg, png or csv) chooses the format
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `fovea licences`.
#[derive(Debug, Args)]
pub struct LicencesArgs {
    /// Print the whole licences of this part instead of the list
    pub name: Option<String>,
}

/// `fovea completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `fovea man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write the pages of the program and of every command into this folder
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn ids_are_a_list() {
        let line = "fovea inspect --model m --ids 1,2,3 --sites logits --out f";
        let Some(Verb::Inspect(args)) = Arguments::parse_from(line.split(' ')).verb else { panic!() };
        assert_eq!(args.input.ids, Some(vec![1, 2, 3]));
    }

    #[test]
    fn a_prompt_and_ids_exclude_each_other() {
        let line = "fovea inspect --model m --ids 1 --prompt x --out f";
        assert!(Arguments::try_parse_from(line.split(' ')).is_err());
    }
}
