//! A prompt and what a model writes behind it, token by token; and again from the prompt's end, which is read once.

use super::edits::{Anatomy, fixed};
use super::sampling;
use super::stop::StopStrings;
use crate::engine::device::TRY_THE_CPU;
use crate::engine::{Event, GenerateSpec, PromptInput};
use crate::load::{StreamDecoder, TextModel};
use crate::nn::output::adjust::Adjustments;
use crate::nn::output::sample::Sampler;
use crate::nn::{DecoderState, Hooks, Scores, Unreadable};
use crate::types::{BiasHit, Candidate, GeneratedToken, JobId, PromptToken, Sampling, StopReason, UserError};
use burn::tensor::Tensor;

/// Prompt tokens read in one step: long enough to use the device well, short enough to stop a long prompt at once.
const PREFILL_CHUNK: usize = 128;

/// What is kept between two steps. The state lives here and not in the model, so nothing leaks between prompts.
pub(super) struct Continuing {
    pub prompt: Vec<u32>,
    /// Prompt tokens the state holds.
    read: usize,
    /// Scores `[1, V]` of the position after the prompt.
    after_prompt: Option<Tensor<2>>,
    state: DecoderState,
    hooks: Hooks,
    bias: Vec<BiasHit>,
    /// Tokens that end the generation.
    ends: Vec<u32>,
    draft: Draft,
}

/// What belongs to one continuation alone.
struct Draft {
    sampling: Sampling,
    sampler: Sampler,
    /// Bias and penalties, where there are any.
    adjustments: Option<Adjustments>,
    decoder: StreamDecoder,
    stops: StopStrings,
    /// The token the model has not read yet.
    last: u32,
    new_tokens: usize,
}

impl Draft {
    fn new(model: &TextModel, prompt: &[u32], sampling: &Sampling, bias: &[BiasHit]) -> Self {
        Self {
            sampler: Sampler::new(sampling),
            adjustments: Adjustments::new(sampling, bias, prompt),
            decoder: model.tokenizer.stream(prompt),
            stops: StopStrings::new(&sampling.stop),
            sampling: sampling.clone(),
            last: 0,
            new_tokens: 0,
        }
    }
}

impl Continuing {
    /// To continue a prompt that was read as these tokens.
    ///
    /// # Errors
    /// When a setting is out of its range, bias names no token, or an edit what the model or the prompt has not.
    pub(super) fn new(model: &TextModel, tokens: &[PromptToken], spec: &GenerateSpec) -> Result<Self, UserError> {
        let GenerateSpec { prompt: asked, sampling: settings, edits } = spec;
        sampling::check(settings)?;
        let bias = sampling::hits(&model.tokenizer, &settings.bias)?;
        sampling::check_hits(&bias, &model.info.name, model.lm.vocabulary())?;
        let prompt: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let edits = Anatomy::of(model).place(edits, prompt.len())?;
        Ok(Self {
            read: 0,
            after_prompt: None,
            state: model.lm.new_state(),
            hooks: Hooks::off().editing(fixed(model, &prompt, edits)),
            draft: Draft::new(model, &prompt, settings, &bias),
            bias,
            ends: if matches!(asked, PromptInput::Chat(_)) { model.turn_ends() } else { model.eos.clone() },
            prompt,
        })
    }

    /// Goes back to the end of the prompt, to draw from another seed.
    pub(super) fn again(&mut self, model: &TextModel, seed: u64) {
        let sampling = Sampling { seed, ..self.draft.sampling.clone() };
        self.state.truncate(self.prompt.len());
        self.draft = Draft::new(model, &self.prompt, &sampling, &self.bias);
    }

    /// Tokens drawn so far.
    pub(super) fn new_tokens(&self) -> usize {
        self.draft.new_tokens
    }

    /// How far the prompt is read.
    pub(super) fn progress(&self, job: JobId) -> Event {
        let (done, total) = (self.read as u64, self.prompt.len() as u64);
        Event::Progress { job, label: "Reading the prompt".to_owned(), done, total, unit: "tokens" }
    }

    /// The text that is still held back, for whoever stops here.
    pub(super) fn rest(&mut self) -> String {
        let Draft { stops, decoder, .. } = &mut self.draft;
        stops.push(&decoder.finish()).text + &stops.finish()
    }

    /// Reads the next stretch of the prompt, or the last token; gives the scores of the position after it, or nothing
    /// while the prompt is not read to its end.
    pub(super) fn next_scores(&mut self, model: &TextModel) -> Result<Option<Scores>, UserError> {
        let is_reading = self.read < self.prompt.len();
        let logits = match &self.after_prompt {
            Some(logits) if !is_reading && self.draft.new_tokens == 0 => logits.clone(),
            _ => {
                let ids = if is_reading {
                    let end = self.prompt.len().min(self.read + PREFILL_CHUNK);
                    let chunk = &self.prompt[self.read..end];
                    self.read = end;
                    chunk
                } else {
                    std::slice::from_ref(&self.draft.last)
                };
                model.lm.forward_cached(model.lm.ids(ids), &mut self.state, &mut self.hooks) // [1, V]
            }
        };
        if self.read < self.prompt.len() {
            return Ok(None);
        }
        if is_reading {
            self.after_prompt = Some(logits.clone());
        }
        let scores =
            Scores::read_adjusted(logits, &self.draft.sampling, self.draft.adjustments.as_ref()).map_err(unreadable)?;
        if !scores.are_numbers() {
            return Err(not_a_number(&model.info.name, self.draft.new_tokens));
        }
        Ok(Some(scores))
    }

    /// Draws a token and tells whether the generation ends with it.
    pub(super) fn draw(
        &mut self,
        mut scores: Scores,
        model: &TextModel,
    ) -> Result<(GeneratedToken, Option<StopReason>), UserError> {
        let draft = &mut self.draft;
        let id = scores.draw(&mut draft.sampler).map_err(unreadable)?;
        draft.last = id;
        draft.new_tokens += 1;
        if let Some(adjustments) = &mut draft.adjustments {
            adjustments.note(id);
        }
        let is_eos = self.ends.contains(&id);
        let mut text = String::new();
        let mut stop;
        if is_eos {
            stop = Some(StopReason::EndOfSequence);
        } else {
            let passed = draft.stops.push(&draft.decoder.push(id));
            text = passed.text;
            stop = passed.stop.map(StopReason::StopString);
            // What the decoder holds back until more follows is there all the same: a line break ends a line before the next begins.
            if stop.is_none() && !draft.stops.is_empty() {
                let ahead = draft.stops.clone().push(&draft.decoder.clone().finish());
                if let Some(met) = ahead.stop {
                    text.push_str(&ahead.text);
                    stop = Some(StopReason::StopString(met));
                }
            }
        }
        if stop.is_none() && draft.new_tokens >= draft.sampling.max_new_tokens {
            stop = Some(StopReason::MaxNewTokens);
        }
        if stop.is_none() && self.prompt.len() + draft.new_tokens > model.lm.context() {
            stop = Some(StopReason::ContextFull);
        }
        if matches!(stop, Some(StopReason::EndOfSequence | StopReason::MaxNewTokens | StopReason::ContextFull)) {
            let rest = draft.stops.push(&draft.decoder.finish());
            text.push_str(&rest.text);
            match rest.stop {
                Some(met) => stop = Some(StopReason::StopString(met)),
                None => text.push_str(&draft.stops.finish()),
            }
        }
        let candidate = |(id, probability): (u32, f64)| Candidate {
            id,
            text: model.tokenizer.token_text(id),
            probability: probability as f32,
        };
        let top = scores.top(draft.sampling.candidates);
        let drawn = scores.drawn_from(draft.sampling.candidates, &top);
        let token = GeneratedToken {
            id,
            text,
            own: model.tokenizer.token_text(id),
            logprob: scores.log_probability(id) as f32,
            rank: Some(scores.rank(id).map_err(unreadable)?),
            top: top.into_iter().map(|(id, log_prob)| candidate((id, log_prob.exp()))).collect(),
            drawn: drawn.into_iter().map(candidate).collect(),
        };
        Ok((token, stop))
    }
}

pub(super) fn not_a_number(name: &str, after: usize) -> UserError {
    UserError::new(
        format!("{name} gave scores that are not numbers (NaN) after {after} new tokens."),
        "Its weights hold NaN or infinite values, or overflow on the way.",
        "Download the model again, or, if it was trained here, train with a lower learning rate.",
    )
}

pub(super) fn unreadable(Unreadable(detail): Unreadable) -> UserError {
    UserError::new(
        "The scores could not be read from the device.",
        "The device gave them in a form that was not expected.",
        TRY_THE_CPU,
    )
    .with_detail(detail)
}
