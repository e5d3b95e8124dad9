//! A transformer of any kind that is asked for one answer: the next token, a masked one, or a class of pictures.

use super::edits::Anatomy;
use super::embed::unreadable;
use super::inspect::no_picture;
use super::lens::first_token;
use super::{LoadedModel, ModelStore, picture, prompt};
use crate::engine::PromptInput;
use crate::load::{EncoderModel, TextModel, VisionModel};
use crate::nn::{Hooks, Read, Transformer};
use crate::types::{LensTarget, ModelId, ModelInfo, PromptToken, UserError};
use burn::tensor::Tensor;

/// It.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    /// A causal model.
    Text(&'a TextModel),
    /// An encoder with a head for masked tokens.
    Encoder(&'a EncoderModel),
    /// A vision transformer with classes.
    Vision(&'a VisionModel),
}

/// A prompt that was read.
#[derive(Clone, Debug)]
pub(super) struct Prompt {
    /// Its tokens.
    pub tokens: Vec<PromptToken>,
    /// The same as the network takes it.
    pub read: Read,
}

impl<'a> Subject<'a> {
    /// An open model.
    ///
    /// # Errors
    /// When it is not open, is no transformer, or has no head.
    pub(super) fn of(models: &'a ModelStore, id: ModelId) -> Result<Self, UserError> {
        match models.get(id) {
            Some(LoadedModel::Encoder(model)) if model.encoder.head().is_none() => Err(no_answers(&model.info)),
            Some(LoadedModel::Encoder(model)) => Ok(Self::Encoder(model)),
            Some(LoadedModel::Vision(model)) if model.labels.is_empty() => Err(no_answers(&model.info)),
            Some(LoadedModel::Vision(model)) => Ok(Self::Vision(model)),
            _ => models.text(id).map(Self::Text),
        }
    }

    pub(super) fn info(self) -> &'a ModelInfo {
        match self {
            Self::Text(model) => &model.info,
            Self::Encoder(model) => &model.info,
            Self::Vision(model) => &model.info,
        }
    }

    pub(super) fn net(self) -> Transformer<'a> {
        match self {
            Self::Text(model) => Transformer::Decoder(&model.lm),
            Self::Encoder(model) => Transformer::Encoder(&model.encoder),
            Self::Vision(model) => Transformer::Vision(&model.vit),
        }
    }

    /// What edits are placed in.
    pub(super) fn anatomy(self) -> Anatomy<'a> {
        match self {
            Self::Text(model) => Anatomy::of(model),
            Self::Encoder(model) => Anatomy::of_encoder(model),
            Self::Vision(model) => Anatomy::of_vision(model),
        }
    }

    /// Nothing while a chat template is at work.
    ///
    /// # Errors
    /// When the model cannot read the prompt.
    pub(super) fn read(self, reading: &mut prompt::Reading, prompt: &PromptInput) -> Result<Option<Prompt>, UserError> {
        let tokens = match self {
            Self::Text(model) => match reading.read(model, prompt)? {
                Some(tokens) => tokens,
                None => return Ok(None),
            },
            Self::Encoder(model) => prompt::read_encoder(model, prompt)?,
            Self::Vision(model) => {
                let PromptInput::Picture(seen) = prompt else { return Err(no_picture(&model.info.name)) };
                let read = Read::Picture(Box::new(picture::input(model, seen)?));
                return Ok(Some(Prompt { tokens: picture::tokens(model), read }));
            }
        };
        let read = Read::Tokens(tokens.iter().map(|token| token.id).collect());
        Ok(Some(Prompt { tokens, read }))
    }

    /// The token behind which the answer is told: the one named, else the last, of an encoder the first mask.
    ///
    /// # Errors
    /// When the prompt has no such token.
    pub(super) fn position(self, named: Option<usize>, tokens: &[PromptToken]) -> Result<usize, UserError> {
        let last = tokens.len().saturating_sub(1);
        match (self, named) {
            (Self::Vision(_), _) => Ok(0),
            (_, Some(place)) if place <= last => Ok(place),
            (_, Some(place)) => Err(UserError::new(
                format!("The prompt has no position {place}."),
                format!("It has {} tokens, counted from 0 to {last}.", tokens.len()),
                "Choose a token of the prompt.",
            )),
            (Self::Text(_), None) => Ok(last),
            (Self::Encoder(model), None) => {
                Ok(tokens.iter().position(|token| Some(token.id) == model.mask_id).unwrap_or(last))
            }
        }
    }

    /// The answer that a text names: its first token, or a class by its name or number.
    ///
    /// # Errors
    /// When it has no token, or no class is called that.
    pub(super) fn target(self, text: Option<&str>) -> Result<Option<LensTarget>, UserError> {
        match self {
            Self::Text(model) => first_token(&model.tokenizer, text),
            Self::Encoder(model) => first_token(&model.tokenizer, text),
            Self::Vision(model) => {
                let Some(text) = text else { return Ok(None) };
                let named = model.labels.iter().position(|label| label.eq_ignore_ascii_case(text.trim()));
                let class = named.or_else(|| text.trim().parse().ok().filter(|class| *class < model.labels.len()));
                let class = class.ok_or_else(|| no_class(model, text))?;
                Ok(Some(LensTarget { id: class as u32, text: model.labels[class].clone(), of: 1 }))
            }
        }
    }

    /// The answer with a number of its own.
    pub(super) fn answer(self, id: u32) -> LensTarget {
        let text = match self {
            Self::Text(model) => model.tokenizer.token_text(id),
            Self::Encoder(model) => model.tokenizer.token_text(id),
            Self::Vision(model) => model.labels.get(id as usize).cloned().unwrap_or_default(),
        };
        LensTarget { id, text, of: 1 }
    }

    /// The scores of the stream behind the last block, at one token: `[B, T, D]` → `[B, V]`.
    ///
    /// # Errors
    /// Without a head.
    pub(super) fn scores(self, stream: Tensor<3>, position: usize, hooks: &mut Hooks) -> Result<Tensor<2>, UserError> {
        self.net().scores_at(stream, position, hooks).ok_or_else(|| no_answers(self.info()))
    }
}

/// Rows of scores on the host, `[B, V]`.
///
/// # Errors
/// When they cannot be read, or are no numbers.
pub(super) fn rows(scores: &Tensor<2>, info: &ModelInfo) -> Result<Vec<Vec<f32>>, UserError> {
    let [_, vocabulary] = scores.dims();
    let values = scores.try_to_vec_as::<f32>().map_err(unreadable)?;
    if values.iter().any(|score| score.is_nan()) {
        return Err(UserError::new(
            format!("{} gave scores that are not numbers (NaN).", info.name),
            "Its weights hold NaN or infinite values, or overflow on the way.",
            "Download the model again, or, if it was trained here, train with a lower learning rate.",
        ));
    }
    Ok(values.chunks_exact(vocabulary).map(<[f32]>::to_vec).collect())
}

pub(super) fn no_answers(info: &ModelInfo) -> UserError {
    UserError::new(
        format!("{} gives no answer that could change.", info.name),
        "Its folder holds the network without a head: it scores neither tokens nor classes.",
        "Choose a model that writes, an encoder with a head for masked tokens, or a vision transformer with classes.",
    )
}

fn no_class(model: &VisionModel, text: &str) -> UserError {
    UserError::new(
        format!("{} knows no class {text:?}.", model.info.name),
        format!(
            "It tells {} classes apart, the first of them {:?}.",
            model.labels.len(),
            model.labels.first().map_or("", String::as_str)
        ),
        "Write a class as the model names it, or its number, counted from 0.",
    )
}
