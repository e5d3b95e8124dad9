//! A classifier of texts as a folder in Hugging Face layout.

use super::class_settings::{self, ClassSettings};
use super::drawing::Drawing;
use super::head_weights;
use crate::load::adapter::classes::AdapterClasses;
use crate::load::adapter::{Adapter, Attached, Matrix, MatrixKind, Named};
use crate::load::encoder::encoder_model::{self, EncoderModel};
use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::load::source::{ModelSource, source};
use crate::load::tensors::weights::Weights;
use crate::load::text::text_model::{self, TextModel};
use crate::load::tokens::tokenizer::Tokenizer;
use crate::nn::{ClassHead, TextBody, TextClassifier, TextEncoder};
use crate::types::{Architecture, ClassifierInfo, ModelInfo, ModelKind, Problem, Shape, Stack};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;

/// Special tokens with a role, which the tokenizer's files of a saved classifier name.
const ROLES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

const NO_HEAD: &str = "the adapter is for classes, and its head is neither in it nor in the model";
const NO_POOLER: &str = "the head reads what a pooler gives, and neither the adapter nor the model has one";

/// A classifier of texts, ready to use. What is shown of it stands in its body.
#[derive(Debug)]
pub struct ClassifierModel {
    /// What reads.
    pub body: ClassifierBody,
    /// What decides.
    pub head: ClassHead,
    /// The classes, and what their scores mean.
    pub tells: ClassifierInfo,
    /// Fills shorter texts of a batch up. A decoder's vector is that of the last token that is another.
    pub padding_id: Option<u32>,
    /// The adapter that belongs to it, and the network without it; body and head are what both are together.
    pub adapter: Option<Box<Attached<TextClassifier>>>,
    /// The head is in its folder; else it was drawn, or is an adapter's.
    pub head_is_stored: bool,
    /// Special tokens by their role.
    pub(in crate::load) special_tokens: Map<String, Value>,
}

/// What reads a text.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a handful of them exist; nothing copies them in a loop")]
pub enum ClassifierBody {
    /// A decoder. Its tied head for next tokens is none.
    Decoder(TextModel),
    /// An encoder.
    Encoder(EncoderModel),
}

impl ClassifierModel {
    /// What is shown of it.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        match &self.body {
            ClassifierBody::Decoder(model) => &model.info,
            ClassifierBody::Encoder(model) => &model.info,
        }
    }

    /// The same, to change it.
    pub fn info_mut(&mut self) -> &mut ModelInfo {
        match &mut self.body {
            ClassifierBody::Decoder(model) => &mut model.info,
            ClassifierBody::Encoder(model) => &mut model.info,
        }
    }

    /// Text to tokens and back.
    #[must_use]
    pub fn tokenizer(&self) -> &Arc<Tokenizer> {
        match &self.body {
            ClassifierBody::Decoder(model) => &model.tokenizer,
            ClassifierBody::Encoder(model) => &model.tokenizer,
        }
    }

    /// The network: it shares its weights.
    #[must_use]
    pub fn net(&self) -> TextClassifier {
        let body = match &self.body {
            ClassifierBody::Decoder(model) => TextBody::Decoder(model.lm.clone()),
            ClassifierBody::Encoder(model) => TextBody::Encoder(model.encoder.clone()),
        };
        TextClassifier { body, head: self.head.clone() }
    }

    /// Puts a network of the same shape in the place of its own.
    ///
    /// # Panics
    /// When the network has another kind of body.
    pub fn put(&mut self, net: TextClassifier) {
        match (&mut self.body, net.body) {
            (ClassifierBody::Decoder(model), TextBody::Decoder(lm)) => model.lm = lm,
            (ClassifierBody::Encoder(model), TextBody::Encoder(encoder)) => model.encoder = encoder,
            _ => unreachable!("a network keeps its kind of body"),
        }
        self.head = net.head;
    }

    /// A text's ids, cut off where they do not fit, and how many were left out.
    ///
    /// # Errors
    /// When the text cannot be split.
    pub fn ids(&self, text: &str) -> Result<(Vec<u32>, usize), LoadError> {
        self.ids_at_most(text, self.tells.longest)
    }

    /// The same, cut off behind so many tokens.
    ///
    /// # Errors
    /// When the text cannot be split.
    pub fn ids_at_most(&self, text: &str, longest: usize) -> Result<(Vec<u32>, usize), LoadError> {
        let lower = match &self.body {
            ClassifierBody::Encoder(model) if model.lower_case => Some(text.to_lowercase()),
            _ => None,
        };
        self.tokenizer().ids_at_most(lower.as_deref().unwrap_or(text), longest)
    }

    /// Scores of texts, one row each: `[B, L]`.
    ///
    /// # Panics
    /// When there is no text, or one has no token or too many.
    #[must_use]
    pub fn scores(&self, texts: &[&[u32]]) -> Tensor<2> {
        self.net().forward(texts, self.padding_id)
    }

    /// A body with a new head: N(0, s²) and biases of zeros, as transformers draws them, where s is the `initializer_range` of its
    /// folder. What the body has of heads for tokens is dropped; a pooler that the architecture's classifiers have is drawn where it
    /// is missing.
    ///
    /// # Errors
    /// When special tokens or settings of the folder cannot be read.
    pub fn with_new_head(
        body: ClassifierBody,
        labels: Vec<String>,
        seed: u64,
        device: &Device,
    ) -> Result<Self, LoadError> {
        Self::with_drawn_head(body, labels, Problem::OneClass, seed, device)
    }

    /// A body with the head that an adapter holds, which is to be put on it. The second value is true where the classes have numbers, since
    /// nobody names them.
    ///
    /// # Errors
    /// When the adapter holds no head, or a part of it is neither there nor in the body.
    pub fn with_head_of(adapter: &Adapter, body: ClassifierBody, device: &Device) -> Result<(Self, bool), LoadError> {
        let info = match &body {
            ClassifierBody::Decoder(model) => &model.info,
            ClassifierBody::Encoder(model) => &model.info,
        };
        let architecture = info.architecture;
        let Some(classes) = adapter.head_classes(architecture) else {
            return Err(adapter.lacks(&format!("{}.weight", head_weights::last_module(architecture)), NO_HEAD));
        };
        let settings = source(&info.path).config()?;
        let folder = adapter.info.path.clone();
        let (told, has_numbers) = AdapterClasses::of(adapter.classes.as_ref(), classes, Some(&settings), &folder)?;
        let is_pooled = matches!(
            &body,
            ClassifierBody::Encoder(EncoderModel { encoder: TextEncoder::Bert(bert), .. }) if bert.pooler.is_some()
        );
        let model = Self::with_drawn_head(body, told.labels, told.problem, 0, device)?;
        // What was drawn is replaced, or nobody knows it.
        let mut net = model.net();
        for Matrix { modules, bias, .. } in net.matrices().into_iter().filter(|m| m.kind == MatrixKind::Classes) {
            let module = &modules[0].0;
            let of_body = module.contains("pooler");
            for part in [Some("weight"), bias.map(|_| "bias")].into_iter().flatten() {
                let name = format!("{module}.{part}");
                let is_there = adapter.holds_whole(&name) || (of_body && is_pooled);
                if !is_there {
                    return Err(adapter.lacks(&name, if of_body { NO_POOLER } else { NO_HEAD }));
                }
            }
        }
        Ok((model, has_numbers))
    }

    fn with_drawn_head(
        mut body: ClassifierBody,
        labels: Vec<String>,
        problem: Problem,
        seed: u64,
        device: &Device,
    ) -> Result<Self, LoadError> {
        let (path, architecture) = match &body {
            ClassifierBody::Decoder(model) => (model.info.path.clone(), model.info.architecture),
            ClassifierBody::Encoder(model) => (model.info.path.clone(), model.info.architecture),
        };
        // A model that was drawn has no folder.
        let known = if path.as_os_str().is_empty() { None } else { Some(source(&path)) };
        let settings = known.as_deref().map(ModelSource::config).transpose()?;
        let mut drawing = Drawing::new(settings.as_ref(), seed, device)?;
        let width = match &mut body {
            ClassifierBody::Decoder(model) => {
                text_model::drop_head(model);
                model.config.hidden()
            }
            ClassifierBody::Encoder(model) => {
                let width = model.config.shape().hidden;
                (model.mask_id, model.reads.mask) = (None, None);
                encoder_model::drop_head(&mut model.encoder);
                if let TextEncoder::Bert(bert) = &mut model.encoder
                    && bert.pooler.is_none()
                {
                    bert.pooler = Some(drawing.linear([width, width], true));
                }
                width
            }
        };
        let dense = head_weights::has_dense(architecture).then(|| drawing.linear([width, width], true));
        let out = drawing.linear([labels.len(), width], head_weights::has_bias(architecture));
        let head = ClassHead { dense, out, rectifies: head_weights::rectifies(architecture) };
        let special_tokens = known.as_deref().map(special_tokens).transpose()?.unwrap_or_default();
        let named = settings.as_ref().map(|fields| padding_of(fields, architecture)).transpose()?.flatten();
        let (named, longest) = match &body {
            ClassifierBody::Encoder(model) => (Some(model.padding_id), model.reads.longest),
            // Most decoders come without a token that pads; as is usual, the one that ends a text is taken for it.
            ClassifierBody::Decoder(model) => {
                (named.or(model.eos.first().copied()), longest(known.as_deref(), model.config.context())?)
            }
        };
        let made = Self::new(body, head, labels, problem, named, longest, special_tokens);
        Ok(Self { head_is_stored: false, ..made })
    }

    fn new(
        mut body: ClassifierBody,
        head: ClassHead,
        labels: Vec<String>,
        problem: Problem,
        padding_id: Option<u32>,
        longest: usize,
        special_tokens: Map<String, Value>,
    ) -> Self {
        let sees_both_ways = matches!(body, ClassifierBody::Encoder(_));
        let tells = ClassifierInfo { labels, problem, longest, sees_both_ways };
        let (info, parameters) = match &mut body {
            ClassifierBody::Decoder(model) => (&mut model.info, model.lm.num_params()),
            ClassifierBody::Encoder(model) => (&mut model.info, model.encoder.num_params()),
        };
        info.parameters = (parameters + head.num_params()) as u64;
        (info.own_sampling, info.held_out) = (None, None);
        let stack = match &info.shape {
            Shape::Decoder { blocks, .. } | Shape::TextClassifier { blocks, .. } => Some(*blocks),
            other => other.blocks().copied().map(Stack::Blocks),
        };
        if let (Some(blocks), Some(vocabulary), Some(context)) = (stack, info.shape.vocabulary(), info.shape.context())
        {
            info.shape = Shape::TextClassifier { blocks, vocabulary, context, tells: tells.clone() };
        }
        Self { body, head, tells, padding_id, adapter: None, head_is_stored: true, special_tokens }
    }
}

/// Opens a folder. `progress` is told the bytes of weights read and their total.
///
/// # Errors
/// Anything wrong with the folder, naming the file and the field or tensor: see [`LoadError`].
pub fn open_classifier(
    dir: &Path,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<ClassifierModel, LoadError> {
    let source = source(dir);
    let fields = source.config()?;
    let architecture = crate::load::text::config::architecture(&fields)?;
    let ClassSettings { labels, problem } = class_settings::read(&fields)?;
    let classes = labels.len();
    let (body, head, padding_id, longest) = match architecture.kind() {
        ModelKind::CausalLm => {
            let read = |width, weights: &mut Weights<'_>| head_weights::read(architecture, width, classes, weights);
            let (model, head) = text_model::open_body(&*source, dir, device, progress, read)?;
            let longest = longest(Some(&*source), model.config.context())?;
            (ClassifierBody::Decoder(model), head, padding_of(&fields, architecture)?, longest)
        }
        _ => {
            let read = |width, weights: &mut Weights<'_>| head_weights::read(architecture, width, classes, weights);
            let (mut model, head) = encoder_model::open_body(&*source, dir, device, progress, read)?;
            encoder_model::drop_head(&mut model.encoder);
            let (padding, longest) = (model.padding_id, model.reads.longest);
            (ClassifierBody::Encoder(model), head, Some(padding), longest)
        }
    };
    let special_tokens = special_tokens(&*source)?;
    Ok(ClassifierModel::new(body, head, labels, problem, padding_id, longest, special_tokens))
}

/// The token that pads, by config.json or by what transformers has for the family.
fn padding_of(fields: &Fields, architecture: Architecture) -> Result<Option<u32>, LoadError> {
    let usual = (architecture == Architecture::Gemma2 && fields.value("pad_token_id").is_none()).then_some(0);
    Ok(fields.token_ids("pad_token_id")?.first().copied().or(usual))
}

/// Where texts for a decoder are cut off.
fn longest(source: Option<&dyn ModelSource>, context: usize) -> Result<usize, LoadError> {
    let own = source.map(ModelSource::longest_text).transpose()?.flatten();
    Ok(own.unwrap_or(usize::MAX).min(context))
}

fn special_tokens(source: &dyn ModelSource) -> Result<Map<String, Value>, LoadError> {
    let mut tokens = Map::new();
    for role in ROLES {
        if let Some(token) = source.special_token(role)? {
            tokens.insert(role.to_owned(), json!(token));
        }
    }
    Ok(tokens)
}
