//! The arithmetic of one token in one head, and the sum that made one number of it.

use super::store::Body;
use super::wrong_kind::wrong_kind;
use super::{Step, Task, TaskContext, picture, prompt};
use crate::engine::{Outcome, PromptInput, StepsSpec, TermsSpec};
use crate::load::VisionModel;
use crate::nn::output::sample::{log_softmax, top_candidates};
use crate::nn::{StepsInput, StepsReads, Transformer, steps, steps_bytes, terms};
use crate::types::{Candidate, ModelId, ModelInfo, ModelKind, PromptToken, StepKind, StepsReport, UserError};
use std::sync::Arc;

/// The values that a pass keeps until it is over may take this much.
const BUDGET_BYTES: usize = 2 << 30;
/// Next tokens that are told.
const TOP: usize = 10;

/// Follows one token through one head.
pub(crate) struct Steps {
    model: ModelId,
    spec: StepsSpec,
    reading: prompt::Reading,
}

impl Steps {
    /// To follow a token of a prompt through `model`.
    pub(crate) fn new(model: ModelId, spec: StepsSpec) -> Self {
        Self { model, spec, reading: prompt::Reading::default() }
    }
}

impl Task for Steps {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let report = match cx.models.scoring_body(self.model)? {
            Body::Encoder(model) => {
                let tokens = prompt::read_encoder(model, &self.spec.prompt)?;
                let name = |id: u32| model.tokenizer.token_text(id);
                self.follow(&model.info, Transformer::Encoder(&model.encoder), tokens, StepsReads::Tokens, name)?
            }
            Body::Vision(model) => {
                let PromptInput::Picture(picture) = &self.spec.prompt else {
                    return Err(wrong_kind(&model.info, ModelKind::CausalLm));
                };
                let reads = StepsReads::Pixels(Box::new(picture::input(model, picture)?));
                let name = |class: u32| class_name(model, class);
                self.follow(&model.info, Transformer::Vision(&model.vit), picture::tokens(model), reads, name)?
            }
            Body::Text(model) => {
                let Some(tokens) = self.reading.read(model, &self.spec.prompt)? else { return Ok(Step::More) };
                let name = |id: u32| model.tokenizer.token_text(id);
                self.follow(&model.info, Transformer::Decoder(&model.lm), tokens, StepsReads::Tokens, name)?
            }
        };
        Ok(Step::Done(Outcome::Stepped(Arc::new(report))))
    }
}

fn class_name(model: &VisionModel, class: u32) -> String {
    model.labels.get(class as usize).cloned().unwrap_or_else(|| format!("class {class}"))
}

impl Steps {
    fn follow(
        &self,
        info: &ModelInfo,
        model: Transformer<'_>,
        tokens: Vec<PromptToken>,
        reads: StepsReads,
        name: impl Fn(u32) -> String,
    ) -> Result<StepsReport, UserError> {
        let StepsSpec { layer, head, query, key, .. } = self.spec;
        self.check(info, tokens.len())?;
        check_room(tokens.len(), steps_bytes(model, tokens.len()))?;
        let report = steps(model, StepsInput { tokens, reads, layer, head, query, key });
        let logits = report.values_of(StepKind::Logits);
        let top = top_candidates(&log_softmax(logits), TOP).into_iter();
        let top = top.map(|(id, log)| Candidate { id, text: name(id), probability: log.exp() as f32 }).collect();
        Ok(StepsReport { top, ..report })
    }

    fn check(&self, info: &ModelInfo, tokens: usize) -> Result<(), UserError> {
        let StepsSpec { layer, head, query, key, .. } = self.spec;
        let blocks = info.shape.blocks();
        let (layers, heads) = blocks.map_or((0, 0), |blocks| (blocks.layers, blocks.heads));
        if layer >= layers || head >= heads {
            return Err(UserError::new(
                format!("{} has no head {head} in layer {layer}.", info.name),
                format!("It has {layers} layers of {heads} heads, both counted from 0."),
                "Choose a head that it has.",
            ));
        }
        let Some(place) = [query, key].into_iter().find(|place| *place >= tokens) else { return Ok(()) };
        Err(UserError::new(
            format!("The prompt has no position {place}."),
            format!("It has {tokens} tokens, counted from 0 to {}.", tokens.saturating_sub(1)),
            "Choose a token of the prompt.",
        ))
    }
}

/// Known before anything is computed.
fn check_room(tokens: usize, bytes: usize) -> Result<(), UserError> {
    if bytes <= BUDGET_BYTES {
        return Ok(());
    }
    Err(UserError::new(
        format!("The steps of a token among {tokens} need {} MiB.", bytes >> 20),
        format!(
            "The weights of all heads of a layer are kept until the pass is over; at most {} MiB are.",
            BUDGET_BYTES >> 20
        ),
        "Shorten the prompt: with half the tokens a quarter is needed.",
    ))
}

/// Finds the terms of one number.
pub(crate) struct Terms {
    model: ModelId,
    spec: TermsSpec,
}

impl Terms {
    /// To find what made a number of `model`.
    pub(crate) fn new(model: ModelId, spec: TermsSpec) -> Self {
        Self { model, spec }
    }
}

impl Task for Terms {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let model = match cx.models.scoring_body(self.model)? {
            Body::Encoder(model) => Transformer::Encoder(&model.encoder),
            Body::Vision(model) => Transformer::Vision(&model.vit),
            Body::Text(model) => Transformer::Decoder(&model.lm),
        };
        let TermsSpec { steps, kind, index } = &self.spec;
        let report = terms(model, steps, *kind, *index).ok_or_else(|| {
            UserError::new(
                format!("There is no number {index} in the step ‘{kind}’."),
                format!("It has {} numbers, counted from 0.", steps.values_of(*kind).len()),
                "Point at a number that is shown.",
            )
        })?;
        Ok(Step::Done(Outcome::TermsFound(Arc::new(report))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_do_not_fit_are_refused_with_what_they_need() {
        assert_eq!(check_room(2048, BUDGET_BYTES), Ok(()));
        let error = check_room(9000, 5 << 30).unwrap_err();
        assert!(error.what.contains("9000") && error.what.contains("5120 MiB"), "{error}");
        assert!(error.why.contains("2048 MiB"), "{error}");
    }
}
