//! Generates text, one token a step.

use super::edits::{Anatomy, fixed};
use super::stop::StopStrings;
use super::{Step, Task, TaskContext, prompt};
use crate::engine::device::TRY_THE_CPU;
use crate::engine::{Event, GenerateSpec, Outcome, PromptInput};
use crate::load::{StreamDecoder, TextModel};
use crate::nn::output::sample::Sampler;
use crate::nn::{DecoderState, Hooks, Scores, Unreadable};
use crate::types::{Candidate, GeneratedToken, GenerationStats, ModelId, Sampling, StopReason, UserError};
use std::time::{Duration, Instant};

/// Prompt tokens read in one step: long enough to use the device well, short enough to stop a long prompt at once.
const PREFILL_CHUNK: usize = 128;

/// Continues a prompt.
pub(crate) struct Generate {
    model: ModelId,
    spec: GenerateSpec,
    asked: Instant,
    reading: prompt::Reading,
    running: Option<Running>,
}

/// What is kept between two steps. The state lives here and not in the model, so nothing leaks between prompts.
struct Running {
    prompt: Vec<u32>,
    /// Prompt tokens the state holds.
    read: usize,
    state: DecoderState,
    hooks: Hooks,
    sampler: Sampler,
    decoder: StreamDecoder,
    stops: StopStrings,
    /// Tokens that end the generation.
    ends: Vec<u32>,
    /// The token the model has not read yet.
    last: u32,
    new_tokens: usize,
    first_token: Option<Duration>,
    last_token: Duration,
}

impl Generate {
    /// To continue a prompt with `model`. The time to the first token counts from here.
    pub(crate) fn new(model: ModelId, spec: GenerateSpec) -> Self {
        Self { model, spec, asked: Instant::now(), reading: prompt::Reading::default(), running: None }
    }

    /// Nothing while the prompt is not read.
    fn begin(&mut self, cx: &mut TaskContext<'_>) -> Result<Option<Running>, UserError> {
        let GenerateSpec { prompt: asked, sampling, edits } = &self.spec;
        check_sampling(sampling)?;
        let model = cx.models.text(self.model)?;
        let Some(tokens) = self.reading.read(model, asked)? else { return Ok(None) };
        let prompt: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let edits = Anatomy::of(model).place(edits, prompt.len())?;
        let running = Running {
            read: 0,
            state: model.lm.new_state(),
            hooks: Hooks::off().editing(fixed(model, &prompt, edits)),
            decoder: model.tokenizer.stream(&prompt),
            prompt,
            sampler: Sampler::new(sampling),
            stops: StopStrings::new(&sampling.stop),
            ends: if matches!(asked, PromptInput::Chat(_)) { model.turn_ends() } else { model.eos.clone() },
            last: 0,
            new_tokens: 0,
            first_token: None,
            last_token: Duration::ZERO,
        };
        (cx.emit)(Event::Prompted { job: cx.job, tokens });
        Ok(Some(running))
    }

    fn stats(&self, stop: StopReason) -> Outcome {
        let running = self.running.as_ref();
        let first = running.and_then(|running| running.first_token);
        let decoding = running.zip(first).map(|(running, first)| (running.last_token - first).as_secs_f64());
        let new_tokens = running.map_or(0, |running| running.new_tokens);
        Outcome::Generated(GenerationStats {
            stop,
            prompt_tokens: running.map_or(0, |running| running.prompt.len()),
            new_tokens,
            ttft_ms: first.map_or(0.0, |first| first.as_secs_f64() * 1e3),
            tokens_per_s: decoding.filter(|s| *s > 0.0).map_or(0.0, |s| (new_tokens - 1) as f64 / s),
        })
    }
}

impl Task for Generate {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        if self.running.is_none() {
            self.running = self.begin(cx)?;
            if self.running.is_some() && self.spec.sampling.max_new_tokens == 0 {
                return Ok(Step::Done(self.stats(StopReason::MaxNewTokens)));
            }
        }
        let Some(running) = &mut self.running else { return Ok(Step::More) };
        let model = cx.models.text(self.model)?;
        let Some(scores) = running.next_scores(model, &self.spec.sampling)? else {
            let (done, total) = (running.read as u64, running.prompt.len() as u64);
            let label = "Reading the prompt".to_owned();
            (cx.emit)(Event::Progress { job: cx.job, label, done, total, unit: "tokens" });
            return Ok(Step::More);
        };
        let (token, stop) = running.draw(scores, model, &self.spec.sampling)?;
        let now = self.asked.elapsed();
        running.first_token.get_or_insert(now);
        running.last_token = now;
        (cx.emit)(Event::Token { job: cx.job, token });
        Ok(stop.map_or(Step::More, |stop| Step::Done(self.stats(stop))))
    }

    fn cancel(&mut self, cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        if let Some(running) = self.running.as_mut().filter(|running| running.new_tokens > 0) {
            let text = running.stops.push(&running.decoder.finish()).text + &running.stops.finish();
            if !text.is_empty() {
                (cx.emit)(Event::HeldBack { job: cx.job, text });
            }
        }
        Ok(self.stats(StopReason::Cancelled))
    }
}

impl Running {
    /// Reads the next stretch of the prompt, or the last token; gives the scores of the position after it, or nothing
    /// while the prompt is not read to its end.
    fn next_scores(&mut self, model: &TextModel, sampling: &Sampling) -> Result<Option<Scores>, UserError> {
        let ids = if self.read < self.prompt.len() {
            let end = self.prompt.len().min(self.read + PREFILL_CHUNK);
            let chunk = &self.prompt[self.read..end];
            self.read = end;
            chunk
        } else {
            std::slice::from_ref(&self.last)
        };
        let logits = model.lm.forward_cached(model.lm.ids(ids), &mut self.state, &mut self.hooks); // [1, V]
        if self.read < self.prompt.len() {
            return Ok(None);
        }
        let scores = Scores::read(logits, sampling).map_err(unreadable)?;
        if !scores.are_numbers() {
            return Err(not_a_number(&model.info.name, self.new_tokens));
        }
        Ok(Some(scores))
    }

    /// Draws a token and tells whether the generation ends with it.
    fn draw(
        &mut self,
        mut scores: Scores,
        model: &TextModel,
        sampling: &Sampling,
    ) -> Result<(GeneratedToken, Option<StopReason>), UserError> {
        let id = scores.draw(&mut self.sampler).map_err(unreadable)?;
        self.last = id;
        self.new_tokens += 1;
        let is_eos = self.ends.contains(&id);
        let mut text = String::new();
        let mut stop;
        if is_eos {
            stop = Some(StopReason::EndOfSequence);
        } else {
            let passed = self.stops.push(&self.decoder.push(id));
            text = passed.text;
            stop = passed.stop.map(StopReason::StopString);
            // What the decoder holds back until more follows is there all the same: a line break ends a line before the next begins.
            if stop.is_none() && !self.stops.is_empty() {
                let ahead = self.stops.clone().push(&self.decoder.clone().finish());
                if let Some(met) = ahead.stop {
                    text.push_str(&ahead.text);
                    stop = Some(StopReason::StopString(met));
                }
            }
        }
        if stop.is_none() && self.new_tokens >= sampling.max_new_tokens {
            stop = Some(StopReason::MaxNewTokens);
        }
        if stop.is_none() && self.prompt.len() + self.new_tokens > model.lm.context() {
            stop = Some(StopReason::ContextFull);
        }
        if matches!(stop, Some(StopReason::EndOfSequence | StopReason::MaxNewTokens | StopReason::ContextFull)) {
            let rest = self.stops.push(&self.decoder.finish());
            text.push_str(&rest.text);
            match rest.stop {
                Some(met) => stop = Some(StopReason::StopString(met)),
                None => text.push_str(&self.stops.finish()),
            }
        }
        let candidate = |(id, logprob): (u32, f64)| Candidate {
            id,
            text: model.tokenizer.token_text(id),
            probability: logprob.exp() as f32,
        };
        let token = GeneratedToken {
            id,
            text,
            own: model.tokenizer.token_text(id),
            logprob: scores.log_probability(id) as f32,
            top: scores.top(sampling.candidates).into_iter().map(candidate).collect(),
        };
        Ok((token, stop))
    }
}

fn check_sampling(sampling: &Sampling) -> Result<(), UserError> {
    let wrong = |what: &str, why: &str, next: &str| Err(UserError::new(what, why, next));
    if !(sampling.temperature >= 0.0 && sampling.temperature.is_finite()) {
        return wrong(
            &format!("The temperature is {}.", sampling.temperature),
            "Logits are divided by it, so it is a number from 0 upwards; 0 always takes the most likely token.",
            "Use a value from 0 to 2.",
        );
    }
    if !(sampling.top_p > 0.0 && sampling.top_p <= 1.0) {
        return wrong(
            &format!("Top-p is {}.", sampling.top_p),
            "It is the share of probability that is kept: above 0, at most 1.",
            "Use 1 to keep every token, or a value such as 0.9.",
        );
    }
    Ok(())
}

fn not_a_number(name: &str, after: usize) -> UserError {
    UserError::new(
        format!("{name} gave scores that are not numbers (NaN) after {after} new tokens."),
        "Its weights hold NaN or infinite values, or overflow on the way.",
        "Download the model again, or, if it was trained here, train with a lower learning rate.",
    )
}

fn unreadable(Unreadable(detail): Unreadable) -> UserError {
    UserError::new(
        "The scores could not be read from the device.",
        "The device gave them in a form that was not expected.",
        TRY_THE_CPU,
    )
    .with_detail(detail)
}

#[cfg(test)]
mod tests {
    use super::super::{LoadedModel, ModelStore};
    use super::*;
    use crate::load::Tokenizer;
    use crate::nn::{LlamaConfig, LlamaFamily, TextConfig};
    use crate::types::JobId;
    use burn::tensor::Device;

    fn store() -> (ModelStore, ModelId) {
        let config = TextConfig::Llama(LlamaConfig {
            family: LlamaFamily::Llama,
            vocabulary: 256,
            context: 64,
            hidden: 16,
            layers: 1,
            heads: 2,
            kv_heads: 1,
            head_dim: 8,
            intermediate: 24,
            epsilon: 1e-5,
            rope_theta: 10_000.0,
            rope_scaling: None,
            qkv_bias: false,
            attn_out_bias: false,
            head_norm: false,
            sliding: None,
            mlp_bias: false,
            tied: true,
        });
        let device = Device::flex();
        device.seed(3);
        let model = TextModel::new("test", config.clone(), config.init(&device), Tokenizer::bytes(), None, Vec::new());
        let (mut store, id) = (ModelStore::default(), ModelId::next());
        store.insert(id, LoadedModel::Text(model));
        (store, id)
    }

    /// The text of eight tokens, stopped by hand; and how many events gave it.
    fn stopped(models: &mut ModelStore, id: ModelId, stop: Vec<String>) -> (String, usize) {
        let sampling = Sampling { temperature: 1.0, max_new_tokens: 30, stop, ..Sampling::default() };
        let prompt = PromptInput::Ids(vec![65, 66]);
        let mut task = Generate::new(id, GenerateSpec { prompt, sampling, edits: Vec::new() });
        let mut texts = Vec::new();
        let mut emit = |event: Event| match event {
            Event::Token { token, .. } => texts.push(token.text),
            Event::HeldBack { text, .. } => texts.push(text),
            _ => {}
        };
        let device = Device::flex();
        let mut cx = TaskContext { job: JobId::next(), device: &device, models, emit: &mut emit };
        for _ in 0..8 {
            assert!(matches!(task.step(&mut cx), Ok(Step::More)));
        }
        task.cancel(&mut cx).unwrap();
        (texts.concat(), texts.iter().filter(|text| !text.is_empty()).count())
    }

    #[test]
    fn what_was_held_back_is_given_out_when_the_person_stops() {
        let (mut models, id) = store();
        let (whole, pieces) = stopped(&mut models, id, Vec::new());
        assert!(pieces > 1, "{whole:?}");
        // Every token could be the beginning of the stop string, so nothing is given before the end.
        let (held, pieces) = stopped(&mut models, id, vec![format!("{whole}…")]);
        assert_eq!((held, pieces), (whole, 1));
    }
}
