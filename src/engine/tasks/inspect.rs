//! One uncached forward pass that captures what was asked for.

use super::{LoadedModel, Step, Task, TaskContext, picture, prompt};
use crate::engine::{Outcome, PromptInput};
use crate::load::{EncoderModel, TextModel, VisionModel};
use crate::nn::{EncoderBatch, Tape};
use crate::types::{Capture, InspectReport, ModelId, ModelInfo, ModelKind, SiteFilter, UserError};
use std::sync::Arc;

/// Captured values may take this much; attention patterns grow with the square of the tokens.
const BUDGET_BYTES: usize = 512 << 20;

/// Captures sites over a whole sequence.
pub(crate) struct Inspect {
    model: ModelId,
    prompt: PromptInput,
    sites: SiteFilter,
}

impl Inspect {
    /// To capture `sites` while `model` reads `prompt`.
    pub(crate) fn new(model: ModelId, prompt: PromptInput, sites: SiteFilter) -> Self {
        Self { model, prompt, sites }
    }
}

impl Task for Inspect {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let report = match cx.models.get(self.model) {
            Some(LoadedModel::Encoder(model)) => self.encoder(model)?,
            Some(LoadedModel::Vision(model)) => self.vision(model)?,
            _ => self.text(cx.models.text(self.model)?)?,
        };
        Ok(Step::Done(Outcome::Inspected(Arc::new(report))))
    }
}

impl Inspect {
    fn text(&self, model: &TextModel) -> Result<InspectReport, UserError> {
        let mut tape = self.tape(&model.info)?;
        let tokens = prompt::read(model, &self.prompt)?;
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        model.lm.trace(model.lm.ids(&ids), &mut tape);
        let (captures, left_out) = self.captured(&model.info, tape)?;
        Ok(InspectReport { tokens, captures, picture: None, left_out })
    }

    fn encoder(&self, model: &EncoderModel) -> Result<InspectReport, UserError> {
        let mut tape = self.tape(&model.info)?;
        let tokens = prompt::read_encoder(model, &self.prompt)?;
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        model.encoder.trace(&EncoderBatch::one(&ids), &mut tape);
        let (captures, left_out) = self.captured(&model.info, tape)?;
        Ok(InspectReport { tokens, captures, picture: None, left_out })
    }

    fn vision(&self, model: &VisionModel) -> Result<InspectReport, UserError> {
        let PromptInput::Picture(picture) = &self.prompt else { return Err(no_picture(&model.info.name)) };
        let mut tape = self.tape(&model.info)?;
        let report = picture::look_at(model, picture, &mut tape)?;
        let (captures, left_out) = self.captured(&model.info, tape)?;
        Ok(InspectReport { tokens: picture::tokens(model), captures, picture: Some(report), left_out })
    }

    /// A tape that notes what was asked for, if there are such sites.
    fn tape(&self, model: &ModelInfo) -> Result<Tape, UserError> {
        if let Some(pattern) = self.sites.without_match(model.layers) {
            return Err(no_such_site(pattern, &model.name, model.layers));
        }
        Ok(Tape::capture(self.sites.clone(), Some(BUDGET_BYTES)))
    }

    /// What the tape holds; an error when a name chose sites that only other architectures have.
    fn captured(&self, info: &ModelInfo, tape: Tape) -> Result<(Vec<Capture>, Option<String>), UserError> {
        let (captures, left_out) = tape.into_captures();
        match self.sites.without_capture(&captures) {
            // The sites looked at unless told otherwise include logits, which an encoder without a head has not.
            Some(pattern) if left_out.is_none() && (info.kind() == ModelKind::CausalLm || captures.is_empty()) => {
                Err(site_of_others(pattern, info))
            }
            _ => Ok((captures, left_out)),
        }
    }
}

fn no_such_site(pattern: &str, name: &str, layers: usize) -> UserError {
    UserError::new(
        format!("No site of {name} is called {pattern}."),
        format!(
            "Its blocks run from 0 to {}, and a site is written like blocks.0.attn.pattern.",
            layers.saturating_sub(1)
        ),
        "Use a name such as embed, blocks.*.attn.pattern, blocks.0.mlp.post, ln_final or logits; * stands for any text.",
    )
}

fn site_of_others(pattern: &str, info: &ModelInfo) -> UserError {
    UserError::new(
        format!("{} has no site {pattern}.", info.name),
        format!(
            "Other architectures have it, {} does not: pos_embed needs learned positions, resid_mid needs an MLP that reads \
             what attention made of the stream, attn.proj and mlp.proj need a normalisation behind them, logits need a head, \
             pooled needs a pooler, and token_type_embed is BERT's.",
            info.architecture.config_name()
        ),
        "Leave it out, or use * to capture whatever sites there are.",
    )
}

fn no_picture(name: &str) -> UserError {
    UserError::new(
        format!("{name} reads pictures, not text."),
        "It is a vision transformer: its tokens are the patches of a picture.",
        "Give it a PNG or JPEG: `fovea inspect --image FILE`, or Open picture in the Attention panel.",
    )
}
