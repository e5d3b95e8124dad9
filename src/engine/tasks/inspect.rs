//! One uncached forward pass that captures what was asked for.

use super::edits::Anatomy;
use super::{LoadedModel, Step, Task, TaskContext, picture, prompt};
use crate::engine::{InspectSpec, Outcome, PromptInput};
use crate::load::{EncoderModel, TextModel, VisionModel};
use crate::nn::{EncoderBatch, Hooks};
use crate::types::{Ability, InspectReport, ModelId, ModelInfo, PromptToken, Site, UserError};
use std::sync::Arc;

/// Captured values may take this much; attention patterns grow with the square of the tokens.
const BUDGET_BYTES: usize = 512 << 20;

/// Captures sites over a whole sequence.
pub(crate) struct Inspect {
    model: ModelId,
    spec: InspectSpec,
    reading: prompt::Reading,
}

impl Inspect {
    /// To capture sites while `model` reads a prompt.
    pub(crate) fn new(model: ModelId, spec: InspectSpec) -> Self {
        Self { model, spec, reading: prompt::Reading::default() }
    }
}

impl Task for Inspect {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let report = match cx.models.get(self.model) {
            Some(LoadedModel::Encoder(model)) => self.encoder(model)?,
            Some(LoadedModel::Vision(model)) => self.vision(model)?,
            _ => match self.text(cx.models.text(self.model)?)? {
                Some(report) => report,
                None => return Ok(Step::More),
            },
        };
        Ok(Step::Done(Outcome::Inspected(Arc::new(report))))
    }
}

impl Inspect {
    /// Nothing while the prompt is not read.
    fn text(&mut self, model: &TextModel) -> Result<Option<InspectReport>, UserError> {
        let Some(tokens) = self.reading.read(model, &self.spec.prompt)? else { return Ok(None) };
        let anatomy = self.anatomy(&model.info, model.lm.sites())?;
        let mut hooks = self.hooks(&anatomy, tokens.len())?;
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        model.lm.trace(model.lm.ids(&ids), &mut hooks);
        Ok(Some(report(tokens, hooks)))
    }

    fn encoder(&self, model: &EncoderModel) -> Result<InspectReport, UserError> {
        let anatomy = self.anatomy(&model.info, model.encoder.sites())?;
        let tokens = prompt::read_encoder(model, &self.spec.prompt)?;
        let mut hooks = self.hooks(&anatomy, tokens.len())?;
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        model.encoder.trace(&EncoderBatch::one(&ids), &mut hooks);
        Ok(report(tokens, hooks))
    }

    fn vision(&self, model: &VisionModel) -> Result<InspectReport, UserError> {
        let PromptInput::Picture(picture) = &self.spec.prompt else { return Err(no_picture(&model.info.name)) };
        let anatomy = self.anatomy(&model.info, model.vit.sites())?;
        let tokens = picture::tokens(model);
        let mut hooks = self.hooks(&anatomy, tokens.len())?;
        let seen = picture::look_at(model, picture, &mut hooks)?;
        Ok(InspectReport { picture: Some(seen), ..report(tokens, hooks) })
    }

    /// What the model has, once it is sure to have what is asked for.
    fn anatomy<'a>(&self, info: &'a ModelInfo, sites: Vec<Site>) -> Result<Anatomy<'a>, UserError> {
        let anywhere: Vec<_> = Site::all(info.shape.layers()).collect();
        if let Some(pattern) = self.spec.sites.without_match(&anywhere) {
            return Err(no_such_site(pattern, info));
        }
        // The sites looked at unless told otherwise include logits, which an encoder without a head has not.
        let is_lenient = !info.can(Ability::Continue) && !self.spec.sites.choose(&sites).is_empty();
        match self.spec.sites.without_match(&sites) {
            Some(pattern) if !is_lenient => Err(site_of_others(pattern, info)),
            _ => Ok(Anatomy { info, sites }),
        }
    }

    fn hooks(&self, anatomy: &Anatomy<'_>, tokens: usize) -> Result<Hooks, UserError> {
        let chosen = self.spec.sites.choose(&anatomy.sites);
        Ok(Hooks::off().recording(chosen, Some(BUDGET_BYTES)).editing(anatomy.place(&self.spec.edits, tokens)?))
    }
}

fn report(tokens: Vec<PromptToken>, hooks: Hooks) -> InspectReport {
    let (captures, left_out) = hooks.into_captures();
    InspectReport { tokens, captures, picture: None, left_out }
}

pub(super) fn no_such_site(pattern: &str, info: &ModelInfo) -> UserError {
    let (name, layers) = (&info.name, info.shape.layers());
    UserError::new(
        format!("No site of {name} is called {pattern}."),
        format!(
            "Its blocks run from 0 to {}, and a site is written like blocks.0.attn.pattern.",
            layers.saturating_sub(1)
        ),
        "Use a name such as embed, blocks.*.attn.pattern, blocks.0.mlp.post, ln_final or logits; * stands for any text.",
    )
}

pub(super) fn site_of_others(pattern: &str, info: &ModelInfo) -> UserError {
    UserError::new(
        format!("{} has no site {pattern}.", info.name),
        format!(
            "Other architectures have it, {} does not: pos_embed needs learned positions, rotary needs rotary ones, resid_mid needs an MLP that reads \
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
