//! A causal model as a folder in Hugging Face layout: opened, and saved so that transformers opens it too.

use crate::load::adapter::Attached;
use crate::load::chat::{ChatError, ChatTemplate};
use crate::load::error::LoadError;
use crate::load::source::{CONFIG_FILE, ModelSource, source};
use crate::load::tensors::weights::{Kept, Weights, write_weights};
use crate::load::text::config::{self, TextSettings};
use crate::load::text::family::{self, Family};
use crate::load::tokens::tokenizer::{TOKENIZER_FILE, Tokenizer};
use crate::nn::{CausalLm, TextConfig};
use crate::types::{ModelId, ModelInfo, Precision, Shape};
use burn::module::Module;
use burn::tensor::Device;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// A causal model, ready to use.
#[derive(Clone, Debug)]
pub struct TextModel {
    /// What is shown of it.
    pub info: ModelInfo,
    /// Its shape.
    pub config: TextConfig,
    /// The network.
    pub lm: CausalLm,
    /// Text to tokens and back.
    pub tokenizer: Arc<Tokenizer>,
    /// Token put before a text, if the model has one.
    pub bos: Option<u32>,
    /// Tokens that end a text; may be empty.
    pub eos: Vec<u32>,
    /// The adapter that belongs to it, and the network without it; [`Self::lm`] is what both are together.
    pub adapter: Option<Box<Attached<CausalLm>>>,
    /// The chat template, or why there is none.
    pub chat: Arc<Result<ChatTemplate, ChatError>>,
}

impl TextModel {
    /// A model that was not read from a folder: made from scratch, with a shape, weights and a tokenizer.
    #[must_use]
    pub fn new(
        name: &str,
        config: TextConfig,
        lm: CausalLm,
        tokenizer: impl Into<Arc<Tokenizer>>,
        bos: Option<u32>,
        eos: Vec<u32>,
    ) -> Self {
        let info = ModelInfo {
            id: ModelId::next(),
            name: name.to_owned(),
            path: Path::new("").to_owned(),
            architecture: config.architecture(),
            precision: Precision::F32,
            parameters: lm.num_params() as u64,
            shape: Shape::Decoder {
                blocks: config.stack(),
                vocabulary: config.vocabulary(),
                context: config.context(),
            },
            held_out: None,
            own_sampling: None,
            quantised: None,
            adapter: None,
            modified: false,
            trained_steps: 0,
        };
        let chat = Arc::new(Err(ChatError::NoTemplate { dir: name.into() }));
        Self { info, config, lm, tokenizer: tokenizer.into(), bos, eos, adapter: None, chat }
    }

    /// Takes another network of the same shape, which may have a head of its own.
    pub fn use_network(&mut self, lm: CausalLm) {
        family::set_tied(&mut self.config, !family::has_head(&lm));
        self.lm = lm;
    }

    /// Tokens that end a turn of a chat: those that end a text, and the `eos_token` that templates write.
    #[must_use]
    pub fn turn_ends(&self) -> Vec<u32> {
        let named = self.chat.as_ref().as_ref().ok().and_then(|chat| chat.special_tokens().get("eos_token")?.as_str());
        let mut ends = self.eos.clone();
        ends.extend(named.and_then(|token| self.tokenizer.token_id(token)).filter(|id| !self.eos.contains(id)));
        ends
    }
}

/// Opens a folder. `progress` is told the bytes of weights read and their total.
///
/// # Errors
/// Anything wrong with the folder, naming the file and the field or tensor: see [`LoadError`].
pub fn open_text_model(
    dir: &Path,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<TextModel, LoadError> {
    let source = source(dir);
    let settings = config::read_settings(&*source)?;
    open_with(&*source, dir, settings, device, progress, |_| Ok(())).map(|(model, ())| model)
}

/// Opens a folder whose model has another head than one for next tokens, which `read_head` reads; it is told the width D.
///
/// # Errors
/// As [`open_text_model`].
pub(in crate::load) fn open_body<H>(
    source: &dyn ModelSource,
    dir: &Path,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64),
    read_head: impl FnOnce(usize, &mut Weights<'_>) -> Result<H, LoadError>,
) -> Result<(TextModel, H), LoadError> {
    let mut settings = config::read_settings(source)?;
    family::tie(&mut settings.config);
    let width = settings.config.hidden();
    open_with(source, dir, settings, device, progress, |weights| read_head(width, weights))
}

/// Drops the head for next tokens that a model has of its own: its body stays.
pub(in crate::load) fn drop_head(model: &mut TextModel) {
    family::drop_head(&mut model.lm);
    family::tie(&mut model.config);
}

fn open_with<H>(
    source: &dyn ModelSource,
    dir: &Path,
    settings: TextSettings,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64),
    read_more: impl FnOnce(&mut Weights<'_>) -> Result<H, LoadError>,
) -> Result<(TextModel, H), LoadError> {
    let TextSettings { config, bos, eos, own } = settings;
    let family = family::family(&config);
    // A tokenizer takes as long to read as weights that stay in their file, and only one of the two keeps a thread busy.
    let (class, vocabulary) = (family.tokenizer_class(), config.vocabulary());
    let (tokenizer, read) = std::thread::scope(|scope| {
        let tokenizer = scope.spawn(|| source.tokenizer(class, vocabulary));
        let read = read_weights(source, family, device, progress, read_more);
        (tokenizer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), read)
    });
    let (tokenizer, (lm, more, kept)) = (tokenizer?, read?);
    let config = family::with_head_of(config, &lm);
    let mut model = TextModel::new(&source.name(), config, lm, tokenizer, bos, eos);
    model.info.path = dir.to_owned();
    model.info.precision = kept.precision;
    model.info.quantised = kept.quantised;
    model.info.held_out = source.held_out();
    model.info.own_sampling = own.map(Box::new);
    model.chat = Arc::new(source.chat_template());
    Ok((model, more))
}

fn read_weights<H>(
    source: &dyn ModelSource,
    family: &dyn Family,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64),
    read_more: impl FnOnce(&mut Weights<'_>) -> Result<H, LoadError>,
) -> Result<(CausalLm, H, Kept), LoadError> {
    let files = source.weights()?;
    let mut weights = Weights::new(&files, device, progress)?;
    let lm = family.read(&mut weights)?;
    let more = read_more(&mut weights)?;
    Ok((lm, more, weights.finish(|name| family.is_harmless(name))?))
}

/// A model of the shape in a folder's config.json with random weights: for measurements, and as a start for training.
/// A folder without tokenizer.json gets one token a byte.
///
/// # Errors
/// When config.json or an existing tokenizer.json is wrong.
pub fn random_text_model(dir: &Path, device: &Device, seed: u64) -> Result<TextModel, LoadError> {
    let source = source(dir);
    let TextSettings { config, bos, eos, own } = config::read_settings(&*source)?;
    let read = source.tokenizer(family::family(&config).tokenizer_class(), config.vocabulary())?;
    let tokenizer = if read.is_none() { Tokenizer::bytes() } else { read };
    check_room(dir, &config)?;
    device.seed(seed);
    let lm = config.init(device);
    let mut model = TextModel::new(&source.name(), config, lm, tokenizer, bos, eos);
    model.info.path = dir.to_owned();
    model.info.own_sampling = own.map(Box::new);
    Ok(model)
}

/// Writes config.json, generation_config.json, tokenizer.json, tokenizer_config.json, the chat template if there is one, and
/// model.safetensors with every weight in `precision`. The folder is made if it is not there. The weights come first and
/// appear whole or not at all.
///
/// # Errors
/// When the folder cannot be made, a file cannot be written, or a weight is too large for `precision`.
pub fn save_text_model(model: &TextModel, dir: &Path, precision: Precision) -> Result<(), LoadError> {
    std::fs::create_dir_all(dir).map_err(|source| LoadError::Write { path: dir.to_owned(), source })?;
    write_weights(&family::stored_tensors(&model.lm), precision, dir)?;
    let (bos, eos, own) = (model.bos, model.eos.clone(), model.info.own_sampling.as_deref().cloned());
    let settings = TextSettings { config: model.config.clone(), bos, eos, own };
    config::write_settings(&settings, precision, dir)?;
    if !model.tokenizer.is_none() {
        model.tokenizer.to_file(&dir.join(TOKENIZER_FILE))?;
    }
    let text = |id: Option<u32>| id.map(|id| model.tokenizer.token_text(id));
    let mut tokenizer_config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": text(model.bos),
        "eos_token": text(model.eos.first().copied()),
        "model_max_length": model.config.context(),
        "clean_up_tokenization_spaces": false,
    });
    if model.tokenizer.begins_with_space() {
        // Some classes of transformers read the flag here and nowhere else.
        tokenizer_config["add_prefix_space"] = json!(true);
    }
    if let (Ok(chat), Some(fields)) = (model.chat.as_ref(), tokenizer_config.as_object_mut()) {
        // What the model's own templates name counts more than what its ids stand for.
        fields.extend(chat.special_tokens().clone());
        chat.write(dir)?;
    }
    crate::load::write_json(&dir.join("tokenizer_config.json"), &tokenizer_config)
}

/// Fails where the system would not even promise the memory. A file's tensors are compared with their shapes before any
/// memory is asked for; random weights have no such check.
fn check_room(dir: &Path, config: &TextConfig) -> Result<(), LoadError> {
    let parameters = config::parameters(config);
    let room = usize::try_from(parameters).ok().and_then(|n| n.checked_mul(size_of::<f32>()));
    if room.is_some_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok()) {
        return Ok(());
    }
    let [hidden, layers, vocabulary] = [config.hidden(), config.layers(), config.vocabulary()];
    let shape = format!("{layers} blocks of width {hidden} and a vocabulary of {vocabulary}");
    Err(LoadError::TooLarge { path: dir.join(CONFIG_FILE), shape, parameters })
}
