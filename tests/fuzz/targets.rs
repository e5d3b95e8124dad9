//! What is done with an input: everything the product does with such a file before a person sees anything.

use super::{data, hub, session};
use fovea::load::{ChatTemplate, LoadError, Tokenizer, list_tensors, open_text_model, read_card, tensor_stats};
use fovea::nn::Hooks;
use fovea::types::{ChatEnding, ChatFormat, ChatMessage, ChatPrompt, UserError};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Config,
    Weights,
    Gguf,
    Tokenizer,
    Template,
    Table,
    Digit,
    Session,
    Hub,
}

fn golden() -> PathBuf {
    super::root().join("tests/golden")
}

/// The golden causal models: folders with a tokenizer and weights.
fn models() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(golden()).unwrap().map(|entry| entry.unwrap().path());
    let is_causal = |dir: &PathBuf| {
        let config = std::fs::read_to_string(dir.join("config.json")).unwrap_or_default();
        config.contains("LMHeadModel") || config.contains("ForCausalLM")
    };
    let mut models: Vec<PathBuf> = entries.filter(is_causal).collect();
    models.sort();
    assert!(models.len() > 5, "{models:?}");
    models
}

impl Target {
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Weights => "weights",
            Self::Gguf => "gguf",
            Self::Tokenizer => "tokenizer",
            Self::Template => "template",
            Self::Table => "table",
            Self::Digit => "digit",
            Self::Session => "session",
            Self::Hub => "hub",
        }
    }

    /// Files that are as they should be.
    pub fn seeds(self) -> Vec<Vec<u8>> {
        let of_models = |file: &str| models().iter().map(|dir| std::fs::read(dir.join(file)).unwrap()).collect();
        match self {
            Self::Config => of_models("config.json"),
            Self::Weights => of_models("model.safetensors"),
            Self::Gguf => files_in_gguf(),
            Self::Tokenizer => tokenizers(),
            Self::Template => templates(),
            Self::Table => data::tables(),
            Self::Digit => data::digits(),
            Self::Session => session::seeds(),
            Self::Hub => hub::seeds(),
        }
    }

    /// The message a person gets, when the input is refused.
    pub fn attempt(self, input: &[u8]) -> Result<(), String> {
        match self {
            Self::Config => config(input),
            Self::Weights => weights(input),
            Self::Gguf => gguf(input),
            Self::Tokenizer => tokenizer(input),
            Self::Template => template(input),
            Self::Table => data::table(input),
            Self::Digit => data::digit(input),
            Self::Session => session::attempt(input),
            Self::Hub => hub::attempt(input),
        }
    }
}

fn told(error: LoadError) -> String {
    UserError::from(error).to_string()
}

/// A folder like `model`, with `input` in the place of one file.
fn folder(model: &Path, file: &str, input: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["config.json", "generation_config.json", "tokenizer.json", "model.safetensors"] {
        // Not every model has settings of generation.
        if name != file && model.join(name).exists() {
            std::fs::copy(model.join(name), dir.path().join(name)).unwrap();
        }
    }
    std::fs::write(dir.path().join(file), input).unwrap();
    dir
}

/// Opens the folder and reads a few tokens.
fn open_and_read(dir: &Path) -> Result<(), String> {
    let device = burn::tensor::Device::flex();
    let model = open_text_model(dir, &device, &mut |_, _| {}).map_err(told)?;
    let ids: Vec<u32> = (0..model.lm.context().min(3) as u32).map(|id| id % model.lm.vocabulary() as u32).collect();
    let logits: Vec<f32> = model
        .lm
        .forward_cached(model.lm.ids(&ids), &mut model.lm.new_state(), &mut Hooks::off())
        .into_data()
        .iter()
        .collect();
    assert_eq!(logits.len(), model.lm.vocabulary());
    Ok(())
}

fn config(input: &[u8]) -> Result<(), String> {
    let said = serde_json::from_slice::<Value>(input).ok();
    let kind = said.as_ref().and_then(|config| config["model_type"].as_str());
    let models = models();
    let alike = |dir: &&PathBuf, fields: &[&str]| {
        let theirs: Value = serde_json::from_slice(&std::fs::read(dir.join("config.json")).unwrap()).unwrap();
        let same = |field: &&str| said.as_ref().is_none_or(|config| config[*field] == theirs[*field]);
        theirs["model_type"].as_str() == kind && fields.iter().all(same)
    };
    // Of several models of a kind, the one with as many layers.
    let nearest = models.iter().find(|dir| alike(dir, &["tie_word_embeddings", "head_dim", "num_hidden_layers"]));
    let same_kind = nearest.or_else(|| models.iter().find(|dir| alike(dir, &["tie_word_embeddings", "head_dim"])));
    let dir = folder(same_kind.unwrap_or(&models[0]), "config.json", input);
    let _ = read_card(dir.path());
    open_and_read(dir.path())
}

fn weights(input: &[u8]) -> Result<(), String> {
    // The one model whose tensors these are; any other refuses them by their shapes, which is tried often enough.
    let models = models();
    let own = models.iter().max_by_key(|dir| {
        let theirs = std::fs::read(dir.join("model.safetensors")).unwrap();
        theirs.iter().zip(input).take_while(|(a, b)| a == b).count()
    });
    let dir = folder(own.unwrap(), "model.safetensors", input);
    if let Ok(tensors) = list_tensors(dir.path()) {
        for tensor in tensors.iter().take(2) {
            let _ = tensor_stats(dir.path(), &tensor.name, &|| true);
        }
    }
    open_and_read(dir.path())
}

/// Tiny models of several architectures in one file each. Most of a file is weights, where a change does little: the headers of
/// the smallest are met often enough.
fn files_in_gguf() -> Vec<Vec<u8>> {
    let names = ["llama3", "llama-tied", "qwen3", "gpt-neox", "gemma2", "qwen2"];
    names.map(|name| std::fs::read(golden().join("gguf").join(format!("{name}.gguf"))).unwrap()).to_vec()
}

/// Everything that is read of a file: its card, its tensors, its tokenizer and template, and a pass through the model.
fn gguf(input: &[u8]) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    std::fs::write(&path, input).unwrap();
    let _ = read_card(&path);
    if let Ok(tensors) = list_tensors(&path) {
        for tensor in tensors.iter().take(2) {
            let _ = tensor_stats(&path, &tensor.name, &|| true);
        }
    }
    open_and_read(&path)
}

fn tokenizers() -> Vec<Vec<u8>> {
    let paths =
        ["tests/golden/gpt2/tokenizer.json", "models/sprout/tokenizer.json"].map(|path| super::root().join(path));
    let mut seeds: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let decoders = [
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}),
        json!({"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}
        ]}),
        json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
    ];
    let small: Value = serde_json::from_slice(&seeds[0]).unwrap();
    for decoder in decoders {
        let mut other = small.clone();
        other["decoder"] = decoder;
        seeds.push(serde_json::to_vec(&other).unwrap());
    }
    seeds
}

fn tokenizer(input: &[u8]) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokenizer.json");
    std::fs::write(&path, input).unwrap();
    let tokenizer = Arc::new(Tokenizer::from_file(&path).map_err(told)?);
    for text in ["", " Hi, you", "naïve 🙂\u{0}\n\n", "a b  c"] {
        let Ok(tokens) = tokenizer.encode(text) else { continue };
        let mut stream = tokenizer.stream(&[]);
        for token in &tokens {
            assert!(token.span.end <= text.len() && text.is_char_boundary(token.span.start), "{text:?}: {token:?}");
            let _ = stream.push(token.id);
        }
        let _ = stream.finish();
        let _ = tokenizer.decode(&tokens.iter().map(|token| token.id).collect::<Vec<_>>());
    }
    let _ = (tokenizer.largest_id(), tokenizer.token_text(0), tokenizer.token_text(u32::MAX));
    Ok(())
}

fn templates() -> Vec<Vec<u8>> {
    let golden: Value = serde_json::from_slice(&std::fs::read(golden().join("chat.json")).unwrap()).unwrap();
    let templates = golden["templates"].as_object().unwrap().values();
    let whole = templates.filter_map(|t| t.as_str().map(|t| t.as_bytes().to_vec()));
    let seeds: Vec<Vec<u8>> = whole.chain(formats_and_slices()).collect();
    // Only those that take the conversation that is tried here.
    let seeds: Vec<Vec<u8>> = seeds.into_iter().filter(|seed| template(seed).is_ok()).collect();
    assert!(seeds.len() > 4, "{} templates", seeds.len());
    seeds
}

/// Expressions whose numbers, changed at random, ask for much: widths, precisions, places.
fn formats_and_slices() -> Vec<Vec<u8>> {
    let golden: Value = serde_json::from_slice(&std::fs::read(golden().join("expressions.json")).unwrap()).unwrap();
    let rows = golden["rows"].as_array().unwrap().iter().filter_map(|row| row[0].as_str());
    let asks =
        |text: &&str| ["format", "%", "[", "just(", "center", "fill(", "indent"].iter().any(|part| text.contains(part));
    let seeds: Vec<Vec<u8>> = rows.filter(asks).map(|text| format!("{{{{ {text} }}}}").into_bytes()).collect();
    assert!(seeds.len() > 200, "{} expressions", seeds.len());
    seeds
}

fn template(input: &[u8]) -> Result<(), String> {
    let told = |error: fovea::load::ChatError| UserError::from(error).to_string();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("chat_template.jinja"), input).unwrap();
    std::fs::write(dir.path().join("tokenizer_config.json"), r#"{"bos_token": "<s>", "eos_token": "</s>"}"#).unwrap();
    let template = ChatTemplate::read(dir.path()).map_err(told)?;
    let message = |role: &str, content: &str| match json!({"role": role, "content": content}) {
        Value::Object(fields) => ChatMessage(fields),
        _ => unreachable!("an object was written"),
    };
    let messages = vec![message("user", "Hello, <|you|> 🙂"), message("assistant", "Yes?"), message("user", "{{ 1 }}")];
    let prompt = ChatPrompt {
        messages,
        ending: ChatEnding::GenerationPrompt,
        format: ChatFormat::Model,
        ..ChatPrompt::default()
    };
    let rendered = template.render(&prompt).map_err(told)?;
    for (_, span) in &rendered.spans {
        assert!(rendered.text.get(span.clone()).is_some(), "{span:?} is no stretch of the text");
    }
    Ok(())
}
