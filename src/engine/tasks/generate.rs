//! Generates text, one token a step.

use super::continuing::Continuing;
use super::{Step, Task, TaskContext, prompt, sampling};
use crate::engine::{Event, GenerateSpec, Outcome};
use crate::types::{GenerationStats, ModelId, StopReason, UserError};
use std::time::{Duration, Instant};

/// Continues a prompt.
pub(crate) struct Generate {
    model: ModelId,
    spec: GenerateSpec,
    asked: Instant,
    reading: prompt::Reading,
    running: Option<Continuing>,
    first_token: Option<Duration>,
    last_token: Duration,
}

impl Generate {
    /// To continue a prompt with `model`. The time to the first token counts from here.
    pub(crate) fn new(model: ModelId, spec: GenerateSpec) -> Self {
        Self {
            model,
            spec,
            asked: Instant::now(),
            reading: prompt::Reading::default(),
            running: None,
            first_token: None,
            last_token: Duration::ZERO,
        }
    }

    /// Nothing while the prompt is not read.
    fn begin(&mut self, cx: &mut TaskContext<'_>) -> Result<Option<Continuing>, UserError> {
        sampling::check(&self.spec.sampling)?;
        let model = cx.models.text(self.model)?;
        let Some(tokens) = self.reading.read(model, &self.spec.prompt)? else { return Ok(None) };
        let running = Continuing::new(model, &tokens, &self.spec)?;
        (cx.emit)(Event::Prompted { job: cx.job, tokens });
        Ok(Some(running))
    }

    fn stats(&self, stop: StopReason) -> Outcome {
        let running = self.running.as_ref();
        let decoding = self.first_token.map(|first| (self.last_token - first).as_secs_f64());
        let new_tokens = running.map_or(0, Continuing::new_tokens);
        Outcome::Generated(GenerationStats {
            stop,
            prompt_tokens: running.map_or(0, |running| running.prompt.len()),
            new_tokens,
            ttft_ms: self.first_token.map_or(0.0, |first| first.as_secs_f64() * 1e3),
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
        let Some(scores) = running.next_scores(model)? else {
            (cx.emit)(running.progress(cx.job));
            return Ok(Step::More);
        };
        let (token, stop) = running.draw(scores, model)?;
        let now = self.asked.elapsed();
        self.first_token.get_or_insert(now);
        self.last_token = now;
        (cx.emit)(Event::Token { job: cx.job, token });
        Ok(stop.map_or(Step::More, |stop| Step::Done(self.stats(stop))))
    }

    fn cancel(&mut self, cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        if let Some(running) = self.running.as_mut().filter(|running| running.new_tokens() > 0) {
            let text = running.rest();
            if !text.is_empty() {
                (cx.emit)(Event::HeldBack { job: cx.job, text });
            }
        }
        Ok(self.stats(StopReason::Cancelled))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LoadedModel, ModelStore};
    use super::*;
    use crate::engine::PromptInput;
    use crate::load::{TextModel, Tokenizer};
    use crate::nn::{LlamaConfig, LlamaFamily, TextConfig};
    use crate::types::{JobId, Sampling};
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
