//! Everything that can be wrong with files a person points at. Each error names the file and the field or tensor.

use crate::load::adapter;
use crate::load::source::CONFIG_FILE;
use crate::load::tensors::container::{ADAPTER_FILE, WEIGHTS_FILE};
use crate::load::tokens::tokenizer::TOKENIZER_FILE;
use crate::load::vision::preprocessor;
use crate::nn::blocks::BlockType;
use crate::types::{Architecture, Precision, UserError};
use safetensors::SafeTensorError;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a model folder could not be read or written.
#[derive(Debug, Error)]
#[allow(missing_docs)] // Every variant says in its message what it and its fields are.
pub enum LoadError {
    #[error("{} is not there", .dir.display())]
    MissingFolder { dir: PathBuf },
    #[error("{} is not a model", .path.display())]
    OtherFile { path: PathBuf },
    #[error("{} {}", .dir.display(), missing(file))]
    MissingFile { dir: PathBuf, file: &'static str },
    #[error("{} is only a pointer to the file", .path.display())]
    Pointer { path: PathBuf, size: Option<u64> },
    #[error("{model} has no tokenizer, so it can neither read nor write text")]
    NoTokenizer { model: String, problem: String },
    #[error("{} cannot be read", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is there already", .path.display())]
    AlreadyThere { path: PathBuf },
    #[error("{} cannot be written", .path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{} is not valid JSON", .path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("{}: the field `{field}` {problem}", .path.display())]
    Field { path: PathBuf, field: String, problem: String },
    #[error("{}: the architecture `{found}` is not supported", .path.display())]
    UnknownArchitecture { path: PathBuf, found: String },
    #[error("{}: `{field}` = {value} is not supported", .path.display())]
    UnsupportedOption { path: PathBuf, field: String, value: String, supported: String },
    #[error("{} describes a model that does not fit in memory: {shape}", .path.display())]
    TooLarge { path: PathBuf, shape: String, parameters: u64 },
    #[error("{} is damaged", .path.display())]
    Safetensors { path: PathBuf, source: SafeTensorError },
    #[error("{} lists {count} tensors", .path.display())]
    TooManyTensors { path: PathBuf, count: usize, most: usize },
    #[error("{} cannot be read as a PyTorch file", .path.display())]
    Torch { path: PathBuf, problem: String },
    #[error("{} is not there", .path.display())]
    MissingGguf { path: PathBuf },
    #[error("{} holds {} models", .dir.display(), .files.len())]
    SeveralModels { dir: PathBuf, files: Vec<String> },
    #[error("{} is not a GGUF file", .path.display())]
    NotGguf { path: PathBuf },
    #[error("{} {found}", .path.display())]
    GgufVersion { path: PathBuf, found: String },
    #[error("{} is damaged at byte {at}", .path.display())]
    Gguf { path: PathBuf, at: u64, problem: String },
    #[error("{} is one of {count} parts, and {} not beside it", .path.display(), listed(missing))]
    MissingParts { path: PathBuf, count: usize, missing: Vec<String> },
    #[error("{} asks for {file}, which is not beside it", .index.display())]
    MissingShard { index: PathBuf, file: String, tensor: String, others: usize },
    #[error("the tensor `{name}` is in {} and in {}", .first.display(), .second.display())]
    DuplicateTensor { name: String, first: PathBuf, second: PathBuf },
    #[error("{}: the tensor `{name}` is missing", .path.display())]
    MissingTensor { path: PathBuf, name: String },
    #[error("{}: the tensor `{name}` has shape {found:?}, {} asks for {expected:?}", .path.display(), settings_of(path))]
    WrongShape { path: PathBuf, name: String, expected: Vec<usize>, found: Vec<usize> },
    #[error("{}: the tensor `{name}` has element type {found}", .path.display())]
    WrongDtype { path: PathBuf, name: String, found: String },
    #[error("{}: the tensor `{name}` holds {value} at position {index}", .path.display())]
    NotFinite { path: PathBuf, name: String, index: usize, value: f32 },
    #[error("{}: {} tensors have no place in this architecture, the first is `{}`", .path.display(), .names.len(), .names[0])]
    UnexpectedTensors { path: PathBuf, names: Vec<String> },
    #[error("{}: the tensor `{name}` cannot be used", .path.display())]
    AdapterTensor { path: PathBuf, name: String, why: String },
    #[error("{}: the tensor `{name}` is missing", .path.display())]
    AdapterPartner { path: PathBuf, name: String, other: String },
    #[error("{}: the tensor `{name}` is missing", .path.display())]
    AdapterMissing { path: PathBuf, name: String, why: &'static str },
    #[error("{}: the tensor `{name}` has shape {found:?}, and {expected:?} would fit", .path.display())]
    AdapterShape { path: PathBuf, name: String, found: [usize; 2], expected: [usize; 2] },
    #[error("{}: the tensor `{name}` has shape {found:?}, and {expected:?} would fit", .path.display())]
    AdapterWholeShape { path: PathBuf, name: String, found: Vec<usize>, expected: Vec<usize> },
    #[error("{}: the tensor `{name}` belongs to no part of the model", .path.display())]
    AdapterStranger { path: PathBuf, name: String, others: usize, all: usize, known: Vec<String> },
    #[error("{}: the classes {} are not those of the head they are for", .path.display(), first_few(.labels))]
    AdapterLabels { path: PathBuf, labels: Vec<String>, others: String },
    #[error("{} holds no tensor", .path.display())]
    AdapterEmpty { path: PathBuf },
    #[error("no module of the model is called {name}")]
    NoTarget { name: String, known: Vec<String> },
    #[error("{} is not a tokenizer", .path.display())]
    Tokenizer { path: PathBuf, problem: String },
    #[error("{}: the token id {id} is outside the model's vocabulary of {vocabulary}", .path.display())]
    Vocabulary { path: PathBuf, id: u32, vocabulary: usize },
    #[error("{}: the tensor `{name}` holds {value}, which {precision} cannot hold", .path.display())]
    OutOfRange { path: PathBuf, name: String, value: f32, precision: Precision },
    #[error("the text cannot be split into tokens")]
    Encode { problem: String },
    #[error("no vocabulary could be learned")]
    Learn { problem: String },
}

impl LoadError {
    fn why(&self) -> String {
        match self {
            Self::MissingFolder { .. } => "there is no folder of this name".to_owned(),
            Self::OtherFile { .. } => {
                "it is a file; a model is a folder in Hugging Face layout, or a file in GGUF format".to_owned()
            }
            Self::MissingFile { file, .. } => purpose(file).to_owned(),
            Self::Pointer { size: Some(size), .. } => {
                format!("the folder was cloned without Git LFS; the file itself has {size} bytes")
            }
            Self::Pointer { size: None, .. } => "the folder was cloned without Git LFS".to_owned(),
            Self::NoTokenizer { problem, .. } => problem.clone(),
            Self::Read { source, .. } | Self::Write { source, .. } => source.to_string(),
            Self::Json { source, .. } => source.to_string(),
            Self::Field { .. } => "the model's shape is taken from this file".to_owned(),
            Self::UnknownArchitecture { .. } => {
                let families: Vec<_> = Architecture::ALL.iter().map(|a| a.family()).collect();
                format!("its forward pass is not built in; Fovea runs {}", families.join(", "))
            }
            Self::UnsupportedOption { supported, .. } => {
                format!("the results would be wrong without it; supported: {supported}")
            }
            Self::TooLarge { parameters, .. } => {
                format!("{parameters} weights take {:.1} GB in F32", *parameters as f64 * 4e-9)
            }
            Self::Safetensors { source, .. } => {
                format!("{source}; the file may be cut off or not be in safetensors format")
            }
            Self::TooManyTensors { most, .. } => {
                format!("no model has more than {most}; the file is no model, or damaged")
            }
            Self::AlreadyThere { .. } => "nothing is written over".to_owned(),
            Self::MissingGguf { .. } => "there is no file of this name".to_owned(),
            Self::SeveralModels { files, .. } => format!("nothing says which is meant: {}", first_few(files)),
            Self::NotGguf { .. } => "a GGUF file begins with these four letters".to_owned(),
            Self::GgufVersion { .. } => "versions 2 and 3 with little-endian numbers are read".to_owned(),
            Self::Gguf { problem, .. } => problem.clone(),
            Self::MissingParts { .. } => "each part holds other weights of the model".to_owned(),
            Self::MissingShard { tensor, others: 0, .. } => format!("the tensor {tensor} is in that file"),
            Self::MissingShard { tensor, others, .. } => {
                format!("the tensor {tensor} and {others} others are in that file")
            }
            Self::DuplicateTensor { .. } => "only one of the two can be meant, and nothing says which".to_owned(),
            Self::MissingTensor { path, .. } => {
                format!("the file holds other weights than {} describes", settings_of(path))
            }
            Self::WrongShape { path, .. } => {
                format!("{} and the weights do not belong together", settings_of(path))
            }
            Self::WrongDtype { .. } => {
                let blocks: Vec<_> = BlockType::ALL.iter().map(|kind| kind.name()).collect();
                format!("weights can be F32, F16 or BF16, and in GGUF files {}", blocks.join(", "))
            }
            Self::OutOfRange { .. } => {
                "half precision ends at 65,504; a larger weight would become infinite".to_owned()
            }
            Self::NotFinite { .. } => "a weight that is not a number spoils every result".to_owned(),
            Self::UnexpectedTensors { names, .. } => {
                format!("leaving weights out would give wrong results: {}", first_few(names))
            }
            Self::AdapterTensor { why, .. } => why.clone(),
            Self::AdapterPartner { other, .. } => {
                format!(
                    "a change is the product of two tensors, and only {other} is there; with one alone nothing would change"
                )
            }
            Self::AdapterMissing { why, .. } => (*why).to_owned(),
            Self::AdapterShape { .. } | Self::AdapterWholeShape { .. } => {
                "the adapter was made for a model of other sizes, or its settings name another rank".to_owned()
            }
            Self::AdapterStranger { others, all, known, .. } => {
                let of = if *others == 0 { String::new() } else { format!("; {others} others have none either") };
                format!("every one of its {all} tensors must have a place{of}. The model has {}", first_few(known))
            }
            Self::AdapterLabels { others, .. } => others.clone(),
            Self::AdapterEmpty { .. } => "it would change nothing".to_owned(),
            Self::NoTarget { known, .. } if known.is_empty() => {
                "it has no matrix that an adapter changes: PEFT changes none of a recurrent layer's".to_owned()
            }
            Self::NoTarget { known, .. } => format!("its matrices are called {}", known.join(", ")),
            Self::Torch { problem, .. }
            | Self::Tokenizer { problem, .. }
            | Self::Encode { problem }
            | Self::Learn { problem } => problem.clone(),
            Self::Vocabulary { .. } => "tokenizer and weights do not belong together".to_owned(),
        }
    }

    fn next(&self) -> &'static str {
        match self {
            Self::MissingFolder { .. } => {
                "Check the path; a model of the Hugging Face hub is fetched with `fovea fetch OWNER/NAME`."
            }
            Self::OtherFile { .. } => {
                "Choose the folder that holds config.json, or a .gguf file. Pictures and data are opened where they are used."
            }
            Self::MissingFile { file: adapter::CONFIG_FILE | ADAPTER_FILE, .. } => {
                "Choose the folder that PEFT's save_pretrained wrote, with both of its files."
            }
            Self::MissingFile { .. } => {
                "Choose the folder that holds config.json, tokenizer.json and model.safetensors, or fetch the file into it; transformers' save_pretrained writes all three."
            }
            Self::Pointer { .. } => "Run `git lfs pull` in the folder, or download the file again.",
            Self::NoTokenizer { .. } => {
                "Give it token ids instead of a text, or fetch tokenizer.json into its folder and open it again."
            }
            Self::Read { .. } => "Check that the file exists and may be read, then open the folder again.",
            Self::Write { .. } => "Choose a folder you may write to, on a disk with room.",
            Self::Json { .. } | Self::Tokenizer { .. } => "Fetch the file again, or save it again with transformers.",
            Self::Field { .. } => "Correct the field, or fetch the file again.",
            Self::TooLarge { .. } => "Choose a smaller shape, or correct the sizes in config.json.",
            Self::UnknownArchitecture { .. } | Self::UnsupportedOption { .. } => "Open a model that Fovea can run.",
            Self::AlreadyThere { .. } => "Name another place, or move what is there away.",
            Self::MissingGguf { .. } => "Check the path; `fovea models` lists the files that were found.",
            Self::SeveralModels { .. } => "Open the file of one of them.",
            Self::NotGguf { .. } => "Choose a GGUF file, or a folder in Hugging Face layout.",
            Self::GgufVersion { .. } => "Fetch the model as a GGUF file of version 3, or convert it with llama.cpp.",
            Self::MissingParts { .. } => "Put the missing parts into the same folder.",
            Self::Safetensors { .. } | Self::TooManyTensors { .. } | Self::Torch { .. } | Self::Gguf { .. } => {
                "Fetch the file again and compare its size with the original."
            }
            Self::MissingShard { .. } => "Fetch the missing file into the folder.",
            Self::DuplicateTensor { .. } => "Fetch the weights and their index again from one place.",
            Self::MissingTensor { path, .. }
            | Self::WrongShape { path, .. }
            | Self::UnexpectedTensors { path, .. }
            | Self::Vocabulary { path, .. }
                if is_gguf(path) =>
            {
                "Fetch the file again, or another one of the same model."
            }
            Self::MissingTensor { .. }
            | Self::WrongShape { .. }
            | Self::UnexpectedTensors { .. }
            | Self::Vocabulary { .. } => {
                "Fetch config.json, tokenizer.json and model.safetensors again from one place."
            }
            Self::WrongDtype { .. } => "Save or fetch the model in one of these types.",
            Self::OutOfRange { .. } => "Save the model in F32.",
            Self::NotFinite { .. } => "Fetch the weights again; if you trained them, go back to an earlier checkpoint.",
            Self::AdapterTensor { .. }
            | Self::AdapterPartner { .. }
            | Self::AdapterMissing { .. }
            | Self::AdapterShape { .. }
            | Self::AdapterWholeShape { .. }
            | Self::AdapterStranger { .. }
            | Self::AdapterLabels { .. } => {
                "Open the model the adapter was made for, or fetch adapter_config.json and its tensors again from one place."
            }
            Self::AdapterEmpty { .. } => "Fetch the file again, or save the adapter again.",
            Self::NoTarget { known, .. } if known.is_empty() => "Train all weights instead: leave out [lora].",
            Self::NoTarget { .. } => "Name some of these by the ends of their paths, or all-linear.",
            Self::Encode { .. } => "Shorten or change the text.",
            Self::Learn { .. } => "Use another text, or another size of the vocabulary.",
        }
    }
}

fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "gguf")
}

/// What says of weights in this file how many there must be.
fn settings_of(path: &Path) -> &'static str {
    if is_gguf(path) { "its metadata" } else { CONFIG_FILE }
}

/// What is said of a folder that lacks a file: only without settings it is no model folder.
fn missing(file: &str) -> String {
    match file {
        CONFIG_FILE => format!("is not a model folder: it has no {file}"),
        _ => format!("has no {file}"),
    }
}

/// What a file is for.
fn purpose(file: &str) -> &'static str {
    match file {
        CONFIG_FILE => "a model folder in Hugging Face layout holds a config.json with the sizes of the network",
        TOKENIZER_FILE => "it says how text becomes tokens",
        WEIGHTS_FILE => "it holds the weights; pytorch_model.bin or shards with an index would do as well",
        adapter::CONFIG_FILE => {
            "an adapter in PEFT's layout holds it; it says of which rank the changes are, and where"
        }
        ADAPTER_FILE => "it holds the adapter's tensors; adapter_model.bin would do as well",
        preprocessor::FILE => "it says how pictures are prepared",
        _ => "the model cannot be opened without it",
    }
}

fn first_few(names: &[String]) -> String {
    let shown = names[..names.len().min(4)].join(", ");
    if names.len() > 4 { format!("{shown}, …") } else { shown }
}

/// Names of files with the verb they need.
fn listed(files: &[String]) -> String {
    let is = if files.len() == 1 { "is" } else { "are" };
    format!("{} {is}", first_few(files))
}

/// The text with a full stop at its end.
fn stopped(text: &str) -> String {
    let stop = if text.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    format!("{text}{stop}")
}

/// A word at the beginning gets a capital; what begins with a name or a path stays as it is.
fn sentence(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    let is_word = word.chars().all(|c| c.is_ascii_lowercase());
    let start: String = text.chars().take(1).map(|c| if is_word { c.to_ascii_uppercase() } else { c }).collect();
    stopped(&format!("{start}{}", text.get(start.len()..).unwrap_or_default()))
}

impl From<LoadError> for UserError {
    fn from(error: LoadError) -> Self {
        Self::new(stopped(&error.to_string()), sentence(&error.why()), error.next())
    }
}
