//! What the score of a token is made of.

use super::edits::{Anatomy, fixed};
use super::lens::first_token;
use super::{LoadedModel, Step, Task, TaskContext, prompt};
use crate::engine::{AttributeSpec, Outcome};
use crate::load::TextModel;
use crate::nn::output::sample::most_likely;
use crate::nn::{Hooks, attribute};
use crate::types::{AttributionReport, LensTarget, ModelId, ModelInfo, UserError};
use std::sync::Arc;

/// Takes the score of a token apart.
pub(crate) struct Attribute {
    model: ModelId,
    spec: AttributeSpec,
    reading: prompt::Reading,
}

impl Attribute {
    /// To take a score of `model` apart.
    pub(crate) fn new(model: ModelId, spec: AttributeSpec) -> Self {
        Self { model, spec, reading: prompt::Reading::default() }
    }

    /// Nothing while the prompt is not split into tokens.
    fn attribute(&mut self, model: &TextModel) -> Result<Option<AttributionReport>, UserError> {
        let Some(mut tokens) = self.reading.read(model, &self.spec.prompt)? else { return Ok(None) };
        let place = self.spec.position.unwrap_or(tokens.len() - 1);
        if place >= tokens.len() {
            return Err(UserError::new(
                format!("The prompt has no position {place}."),
                format!("It has {} tokens, counted from 0 to {}.", tokens.len(), tokens.len() - 1),
                "Choose a token of the prompt.",
            ));
        }
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let edits = fixed(model, &ids, Anatomy::of(model).place(&self.spec.edits, tokens.len())?);
        // What comes later cannot change what is said here.
        tokens.truncate(place + 1);
        let ids = &ids[..=place];
        let named = |text: &Option<String>| first_token(&model.tokenizer, text.as_deref());
        let against = named(&self.spec.against)?;
        let target = match named(&self.spec.target)? {
            Some(target) => target,
            None => {
                let mut hooks = Hooks::off().editing(edits.clone());
                let logits = model.lm.forward_cached(model.lm.ids(ids), &mut model.lm.new_state(), &mut hooks);
                let id = most_likely(&logits.into_data().iter::<f32>().collect::<Vec<_>>());
                LensTarget { id, text: model.tokenizer.token_text(id), of: 1 }
            }
        };
        if against.as_ref().is_some_and(|against| against.id == target.id) {
            return Err(UserError::new(
                format!("{:?} cannot be compared with itself.", target.text),
                "Both texts begin with the same token, so their scores never differ.",
                "Name another token, or none: then the mean over the vocabulary is taken off.",
            ));
        }
        let found = attribute(&model.lm, ids, target.id, against.as_ref().map(|against| against.id), edits);
        Ok(Some(AttributionReport {
            tokens,
            left_out: [target.of - 1, against.as_ref().map_or(0, |against| against.of - 1)],
            target: (target.id, target.text),
            against: against.map(|against| (against.id, against.text)),
            parts: found.parts,
            score: found.score,
            scores: found.scores,
        }))
    }
}

impl Task for Attribute {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        match cx.models.get(self.model) {
            Some(LoadedModel::Encoder(model)) => return Err(of_encoders(&model.info)),
            Some(LoadedModel::Vision(model)) => return Err(of_pictures(&model.info)),
            _ => {}
        }
        let report = self.attribute(cx.models.text(self.model)?)?;
        Ok(report.map_or(Step::More, |report| Step::Done(Outcome::Attributed(Arc::new(report)))))
    }
}

fn of_encoders(info: &ModelInfo) -> UserError {
    UserError::new(
        format!("The scores of {} cannot be taken apart.", info.name),
        "It normalises the stream after each addition, so what one part added is scaled anew by every later layer: no sum over \
         the parts is defined.",
        "Choose a model that writes. What a part of this one does is seen by changing it.",
    )
}

fn of_pictures(info: &ModelInfo) -> UserError {
    UserError::new(
        format!("The scores of {} cannot be taken apart here.", info.name),
        "It reads pictures and scores classes; tokens are scored by models that write.",
        "Choose a model that writes.",
    )
}
