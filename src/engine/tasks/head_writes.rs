//! What each head writes into the residual stream for each token it looks at.

use super::edits::Anatomy;
use super::embed::unreadable;
use super::store::Body;
use super::{ModelStore, Step, Task, TaskContext, picture, prompt};
use crate::engine::{Event, Outcome, PromptInput, WritesSpec};
use crate::nn::{EncoderBatch, Hooks, SiteValue};
use crate::types::{HeadWrites, ModelId, ModelInfo, PromptToken, Site, SiteSet, UserError};
use burn::tensor::Tensor;
use std::sync::Arc;

/// What is kept may take this much: it grows with the square of the heads.
const BUDGET_BYTES: usize = 512 << 20;
/// Numbers that heads write for some tokens at once.
const AT_ONCE: usize = 16 << 20;

/// Measures the writes of a prompt: one pass, then a layer a step.
pub(crate) struct MeasureWrites {
    model: ModelId,
    spec: WritesSpec,
    reading: prompt::Reading,
    /// Once the prompt is read: its tokens and the hooks that keep the values of every layer.
    read: Option<(Vec<PromptToken>, Hooks)>,
    layers: Vec<Arc<[f32]>>,
}

impl MeasureWrites {
    /// To measure what `model` writes while it reads a prompt.
    pub(crate) fn new(model: ModelId, spec: WritesSpec) -> Self {
        Self { model, spec, reading: prompt::Reading::default(), read: None, layers: Vec::new() }
    }

    /// Reads the prompt; nothing while it is not split into tokens.
    fn read(&mut self, models: &ModelStore) -> Result<Option<(Vec<PromptToken>, Hooks)>, UserError> {
        Ok(Some(match models.body(self.model)? {
            Body::Encoder(model) => {
                let tokens = prompt::read_encoder(model, &self.spec.prompt)?;
                let mut hooks = self.hooks(&Anatomy::of_encoder(model), tokens.len())?;
                let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
                model.encoder.trace(&EncoderBatch::one(&ids), &mut hooks);
                (tokens, hooks)
            }
            Body::Vision(model) => {
                let PromptInput::Picture(seen) = &self.spec.prompt else {
                    return Err(super::inspect::no_picture(&model.info.name));
                };
                let tokens = picture::tokens(model);
                let mut hooks = self.hooks(&Anatomy::of_vision(model), tokens.len())?;
                picture::look_at(model, seen, &mut hooks)?;
                (tokens, hooks)
            }
            Body::Text(model) => {
                let Some(tokens) = self.reading.read(model, &self.spec.prompt)? else { return Ok(None) };
                let mut hooks = self.hooks(&Anatomy::of(model), tokens.len())?;
                let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
                model.lm.trace(model.lm.ids(&ids), &mut hooks);
                (tokens, hooks)
            }
        }))
    }

    fn hooks(&self, anatomy: &Anatomy<'_>, tokens: usize) -> Result<Hooks, UserError> {
        let (info, sites) = (anatomy.info, &anatomy.sites);
        let values: SiteSet = sites.iter().filter(|site| matches!(site, Site::V(_))).copied().collect();
        let blocks = info.shape.blocks().copied();
        let (layers, heads) = blocks.map_or((0, 0), |blocks| (blocks.layers, blocks.heads));
        let bytes = [tokens, layers, heads, size_of::<f32>()].into_iter().fold(heads, usize::saturating_mul);
        if bytes > BUDGET_BYTES {
            return Err(too_much(info, tokens, bytes));
        }
        Ok(Hooks::off().keeping(values).editing(anatomy.place(&self.spec.edits, tokens)?))
    }
}

impl Task for MeasureWrites {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        if self.read.is_none() {
            self.read = self.read(cx.models)?;
        }
        let Some((tokens, hooks)) = &mut self.read else { return Ok(Step::More) };
        let layer = self.layers.len();
        if let Some(values) = hooks.take_kept(Site::V(layer)) {
            self.layers.push(products(cx.models, self.model, layer, &values)?);
            let done = self.layers.len() as u64;
            let label = "Measuring what heads write".to_owned();
            (cx.emit)(Event::Progress { job: cx.job, label, done, total: 0, unit: "layers" });
            return Ok(Step::More);
        }
        let report = HeadWrites { tokens: std::mem::take(tokens), layers: std::mem::take(&mut self.layers) };
        Ok(Step::Done(Outcome::WritesMeasured(Arc::new(report))))
    }
}

/// The products of what the heads of a layer write for each token, `[T, H, H]`, from its values `[1, G, T, K]`.
fn products(models: &ModelStore, id: ModelId, layer: usize, values: &SiteValue) -> Result<Arc<[f32]>, UserError> {
    let values: Tensor<4> = values.clone().tensor();
    let [_, groups, tokens, width] = values.dims();
    let heads = heads_of(models, id, groups)?;
    // With grouped queries several heads read the same values.
    let values = values.reshape([groups, 1, tokens, width]).repeat_dim(1, heads / groups);
    let values = values.reshape([1, heads, tokens, width]);
    let mut out = Vec::with_capacity(tokens * heads * heads);
    let mut start = 0;
    while start < tokens {
        let first = values.clone().narrow(2, start, 1);
        let model_width = writes(models, id, layer, first)?.dims()[3];
        let count = (AT_ONCE / (heads * model_width)).clamp(1, tokens - start);
        let written = writes(models, id, layer, values.clone().narrow(2, start, count))?; // [1, H, T', D]
        let written = written.squeeze_dim::<3>(0).swap_dims(0, 1); // [T', H, D]
        let products = written.clone().matmul(written.swap_dims(1, 2)); // [T', H, H]
        let read = products.into_data().try_to_vec::<f32>();
        out.extend(read.map_err(|error| unreadable(format!("{error:?}")))?);
        start += count;
    }
    Ok(out.into())
}

fn heads_of(models: &ModelStore, id: ModelId, groups: usize) -> Result<usize, UserError> {
    let info = match models.body(id)? {
        Body::Text(model) => &model.info,
        Body::Encoder(model) => &model.info,
        Body::Vision(model) => &model.info,
    };
    Ok(info.shape.blocks().map_or(groups, |blocks| blocks.heads))
}

/// `[1, H, T, K]` → `[1, H, T, D]`.
fn writes(models: &ModelStore, id: ModelId, layer: usize, values: Tensor<4>) -> Result<Tensor<4>, UserError> {
    Ok(match models.body(id)? {
        Body::Text(model) => model.lm.head_output(layer, values),
        Body::Encoder(model) => model.encoder.head_output(layer, values),
        Body::Vision(model) => model.vit.head_output(layer, values),
    })
}

fn too_much(info: &ModelInfo, tokens: usize, bytes: usize) -> UserError {
    let budget = BUDGET_BYTES >> 20;
    UserError::new(
        format!("What the heads of {} write is too much to keep: {} MiB for {tokens} tokens.", info.name, bytes >> 20),
        format!("At most {budget} MiB are kept, and it grows with the square of the heads."),
        format!("Shorten the prompt to at most {} tokens.", tokens.saturating_mul(BUDGET_BYTES) / bytes),
    )
}
