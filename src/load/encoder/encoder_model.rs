//! A text encoder as a folder in Hugging Face layout, or in that of sentence-transformers.

use crate::load::adapter::Attached;
use crate::load::encoder::encoder_config::{self, EncoderSettings};
use crate::load::encoder::encoder_weights;
use crate::load::encoder::sentence_files::SentenceSettings;
use crate::load::error::LoadError;
use crate::load::source::{ModelSource, source};
use crate::load::tensors::weights::Weights;
use crate::load::text::config::architecture;
use crate::load::tokens::tokenizer::{TOKENIZER_FILE, Tokenizer};
use crate::load::tokens::tokenizer_class::{TokenizerClass, UsualClass};
use crate::nn::{Bert, BertConfig, EncoderConfig, TextEncoder};
use crate::types::{Architecture, Blocks, EncoderInfo, ModelId, ModelInfo, Pooling, Precision, Shape};
use burn::module::Module;
use burn::tensor::Device;
use std::path::Path;
use std::sync::Arc;

/// A text encoder, ready to use.
#[derive(Clone, Debug)]
pub struct EncoderModel {
    /// What is shown of it.
    pub info: ModelInfo,
    /// How it makes one vector of a text, and what it guesses.
    pub reads: EncoderInfo,
    /// Its shape.
    pub config: EncoderConfig,
    /// The network.
    pub encoder: TextEncoder,
    /// The adapter that belongs to it, and the network without it; [`Self::encoder`] is what both are together.
    pub adapter: Option<Box<Attached<TextEncoder>>>,
    /// Text to tokens and back.
    pub tokenizer: Arc<Tokenizer>,
    /// Fills shorter texts of a batch up.
    pub padding_id: u32,
    /// The id of the mask; `None` without a head that guesses what it stands for.
    pub mask_id: Option<u32>,
    /// True when texts to embed are put in lower case first.
    pub lower_case: bool,
}

impl EncoderModel {
    /// A BERT that was not read from a folder: made from scratch, with a shape, weights with a head for masked tokens, and a tokenizer of
    /// its kind.
    ///
    /// # Errors
    /// When the tokenizer has no mask.
    pub(crate) fn new(
        name: &str,
        config: BertConfig,
        bert: Bert,
        tokenizer: impl Into<Arc<Tokenizer>>,
    ) -> Result<Self, LoadError> {
        let (tokenizer, encoder) = (tokenizer.into(), TextEncoder::Bert(bert));
        let (mask, padding_id) = match (tokenizer.token_id("[MASK]"), tokenizer.token_id("[PAD]")) {
            (Some(mask), Some(padding)) => (mask, padding),
            _ => {
                let problem = "it has no [MASK] or no [PAD]".to_owned();
                return Err(LoadError::Tokenizer { path: TOKENIZER_FILE.into(), problem });
            }
        };
        let shape = &config.shape;
        let reads = describe(None, Some("[MASK]".to_owned()), shape.positions);
        let info = ModelInfo {
            id: ModelId::next(),
            name: name.to_owned(),
            path: Path::new("").to_owned(),
            architecture: Architecture::Bert,
            precision: Precision::F32,
            parameters: encoder.num_params() as u64,
            shape: shape_of(&EncoderConfig::Bert(config.clone()), &reads),
            held_out: None,
            own_sampling: None,
            quantised: None,
            adapter: None,
            modified: false,
            trained_steps: 0,
        };
        Ok(Self {
            info,
            reads,
            config: EncoderConfig::Bert(config),
            encoder,
            adapter: None,
            tokenizer,
            padding_id,
            mask_id: Some(mask),
            lower_case: false,
        })
    }

    /// Makes it one for vectors of whole texts: the mean of the tokens' vectors, of texts of at most so many tokens.
    pub(crate) fn read_sentences(&mut self, longest: usize) {
        self.reads = EncoderInfo {
            pooling: Pooling::Mean,
            normalised: false,
            is_sentence_model: true,
            longest,
            ..self.reads.clone()
        };
        self.info.shape = shape_of(&self.config, &self.reads);
    }
}

/// The sizes of an encoder as they are shown.
fn shape_of(config: &EncoderConfig, reads: &EncoderInfo) -> Shape {
    let shape = config.shape();
    Shape::Encoder {
        blocks: Blocks { layers: shape.layers, heads: shape.heads, kv_heads: shape.heads, hidden: shape.hidden },
        vocabulary: shape.vocabulary,
        context: config.context(),
        reads: reads.clone(),
    }
}

/// Opens a folder. `progress` is told the bytes of weights read and their total.
///
/// # Errors
/// Anything wrong with the folder, naming the file and the field or tensor: see [`LoadError`].
pub fn open_encoder_model(
    dir: &Path,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<EncoderModel, LoadError> {
    open_with(&*source(dir), dir, device, progress, |_, _| Ok(())).map(|(model, ())| model)
}

/// Opens a folder whose model has a head that `read_head` reads; it is told the width D. A BERT must have its pooler.
///
/// # Errors
/// As [`open_encoder_model`].
pub(in crate::load) fn open_body<H>(
    source: &dyn ModelSource,
    dir: &Path,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64),
    read_head: impl FnOnce(usize, &mut Weights<'_>) -> Result<H, LoadError>,
) -> Result<(EncoderModel, H), LoadError> {
    open_with(source, dir, device, progress, |encoder, weights| {
        let d = encoder.width();
        if matches!(encoder, TextEncoder::Bert(bert) if bert.pooler.is_none()) {
            // What is not there is named by asking for it.
            encoder_weights::read_linear("bert.pooler.dense", [d, d], weights)?;
        }
        read_head(d, weights)
    })
}

/// Drops the head for masked tokens, and the pooler that RoBERTa's classifiers do not read.
pub(in crate::load) fn drop_head(encoder: &mut TextEncoder) {
    match encoder {
        TextEncoder::Bert(model) => model.head = None,
        TextEncoder::Roberta(model) => (model.head, model.pooler) = (None, None),
        TextEncoder::DistilBert(model) => model.head = None,
    }
}

fn open_with<H>(
    source: &dyn ModelSource,
    dir: &Path,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64),
    read_more: impl FnOnce(&TextEncoder, &mut Weights<'_>) -> Result<H, LoadError>,
) -> Result<(EncoderModel, H), LoadError> {
    let fields = source.config()?;
    let architecture = architecture(&fields)?;
    let EncoderSettings { config, padding_id, masked_lm } = encoder_config::read_settings(&fields, architecture)?;
    let sentence = source.sentence_settings()?;
    let (class, usual_mask) = match architecture {
        Architecture::Roberta => (TokenizerClass::Roberta, "<mask>"),
        _ => (TokenizerClass::Bert, "[MASK]"),
    };
    let tokenizer = source.tokenizer(UsualClass::unless_named(class), config.shape().vocabulary)?;
    let files = source.weights()?;
    let mut weights = Weights::new(&files, device, progress)?;
    let encoder = encoder_weights::read(&config, masked_lm, &mut weights)?;
    let more = read_more(&encoder, &mut weights)?;
    let tied = config.shape().tied;
    let kept = weights.finish(|name| encoder_weights::is_harmless(name, tied))?;

    let mask = if encoder.head().is_some() && !tokenizer.is_none() {
        Some(mask_token(source, &tokenizer, usual_mask)?)
    } else {
        None
    };
    let longest = match sentence.as_ref().and_then(|sentence| sentence.longest) {
        Some(longest) => longest,
        None => source.longest_text()?.unwrap_or(usize::MAX),
    };
    let mask_text = mask.as_ref().map(|(text, _)| text.clone());
    let reads = describe(sentence.as_ref(), mask_text, longest.min(config.context()));
    let info = ModelInfo {
        id: ModelId::next(),
        name: source.name(),
        path: dir.to_owned(),
        architecture,
        precision: kept.precision,
        parameters: encoder.num_params() as u64,
        shape: shape_of(&config, &reads),
        held_out: None,
        own_sampling: None,
        quantised: kept.quantised,
        adapter: None,
        modified: false,
        trained_steps: 0,
    };
    let model = EncoderModel {
        info,
        reads,
        config,
        encoder,
        adapter: None,
        tokenizer: Arc::new(tokenizer),
        padding_id,
        mask_id: mask.map(|(_, id)| id),
        lower_case: sentence.is_some_and(|sentence| sentence.lower_case),
    };
    Ok((model, more))
}

/// The mean of the tokens' vectors is what is usual where the folder says nothing.
fn describe(sentence: Option<&SentenceSettings>, mask: Option<String>, longest: usize) -> EncoderInfo {
    EncoderInfo {
        mask,
        pooling: sentence.map_or(Pooling::Mean, |s| s.pooling),
        normalised: sentence.is_some_and(|s| s.normalised),
        is_sentence_model: sentence.is_some(),
        longest,
    }
}

/// The mask as it is written in a text, and its id.
fn mask_token(source: &dyn ModelSource, tokenizer: &Tokenizer, usual: &str) -> Result<(String, u32), LoadError> {
    let text = source.special_token("mask_token")?.unwrap_or_else(|| usual.to_owned());
    match tokenizer.token_id(&text) {
        Some(id) => Ok((text, id)),
        None => {
            let problem = format!("it has no mask token `{text}`, which the model's head is for");
            Err(LoadError::Tokenizer { path: source.path().join(TOKENIZER_FILE), problem })
        }
    }
}
