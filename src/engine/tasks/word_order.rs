//! The same tokens without positions, with two of them swapped, and in other places: what a model makes of each.

use super::continuing::not_a_number;
use super::embed::{pool, unreadable};
use super::{ModelStore, Step, Task, TaskContext, prompt};
use crate::engine::{Event, Outcome, WordOrderSpec};
use crate::load::EncoderModel;
use crate::nn::output::sample::{log_softmax, top_candidates};
use crate::nn::{Change, EncoderBatch, Hooks, SiteEdit};
use crate::types::{
    Candidate, ChangedAnswer, ChangedOrder, ModelId, ModelInfo, Reordering, Site, SiteSet, UserError, WithoutOrder,
    WordOrderReport, cosine,
};
use burn::tensor::{Int, Tensor, TensorData};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Likeliest tokens that are told.
const TOP: usize = 6;
/// Patterns of two passes may take this much at once; they grow with the square of the tokens.
const BUDGET_BYTES: usize = 768 << 20;
/// How often the text is read anew so that patterns fit.
const MOST_TIMES: usize = 4;

/// Reads the text once as written and once in each other order, a pass a step.
pub(crate) struct ChangeOrder {
    model: ModelId,
    spec: WordOrderSpec,
    reading: prompt::Reading,
    running: Option<Running>,
}

/// One pass over the text.
struct Pass {
    /// The layers whose patterns are compared.
    layers: Range<usize>,
    /// `None` for the text as written, which comes before the others.
    how: Option<Reordering>,
    /// True for the passes whose vectors and answers are compared.
    is_first: bool,
}

/// What is known of the text, and what is still to be read.
struct Running {
    ids: Vec<u32>,
    /// Where each token stands in the shuffled text.
    places: Vec<usize>,
    /// The place in the text as written at which the model says something.
    asked: Option<usize>,
    passes: VecDeque<Pass>,
    total: u64,
    /// As written: patterns `[H, T, T]` of the layers that are compared now.
    patterns: Vec<Tensor<3>>,
    written: Option<Reading>,
    off: Option<Reading>,
    report: WordOrderReport,
}

/// What one pass says of the text.
struct Reading {
    /// The vectors of the token that is followed, state by state.
    vectors: Vec<Vec<f32>>,
    /// What leaves the last block, `[T, D]`, each token in its place as written.
    last: Tensor<2>,
    /// Logs of probabilities of all tokens.
    said: Option<Vec<f64>>,
    /// The vector of the whole text.
    pooled: Option<Vec<f32>>,
}

impl ChangeOrder {
    /// To have `model` read a text in other orders.
    pub(crate) fn new(model: ModelId, spec: WordOrderSpec) -> Self {
        Self { model, spec, reading: prompt::Reading::default(), running: None }
    }

    /// Nothing while the text is not split into tokens.
    fn begin(&mut self, models: &ModelStore) -> Result<Option<Running>, UserError> {
        let (tokens, sites, info, mask) = match models.encoder_inside(self.model) {
            Some(model) => {
                let tokens = prompt::read_encoder(model, &self.spec.prompt)?;
                (tokens, model.encoder.sites(), &model.info, Some(model.mask_id))
            }
            _ => {
                let model = models.text(self.model)?;
                let Some(tokens) = self.reading.read(model, &self.spec.prompt)? else { return Ok(None) };
                (tokens, model.lm.sites(), &model.info, None)
            }
        };
        let places = places(&self.spec, tokens.len())?;
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let positions = position_site(&sites);
        let asked = match mask {
            None => Some(ids.len() - 1),
            Some(mask) => mask.filter(|mask| ids[self.spec.token] == *mask).map(|_| self.spec.token),
        };
        let has = |how: &Reordering| {
            let is_asked = *how != Reordering::Swapped || self.spec.swap.is_some();
            is_asked && (positions.is_some() || !how.needs_positions())
        };
        let changes: Vec<Reordering> = Reordering::ALL.into_iter().filter(has).collect();
        let (stretches, left_out) = stretches(info, ids.len());
        let mut passes = VecDeque::new();
        for (place, layers) in stretches.into_iter().enumerate() {
            let is_first = place == 0;
            passes.push_back(Pass { layers: layers.clone(), how: None, is_first });
            let others = changes.iter().map(|how| Pass { layers: layers.clone(), how: Some(*how), is_first });
            passes.extend(others);
        }
        let changed = |how: &Reordering| ChangedOrder {
            how: *how,
            said: None,
            cosines: Vec::new(),
            pooled: None,
            heads: Vec::new(),
        };
        let WordOrderSpec { token, swap, order, .. } = self.spec.clone();
        let changes = changes.iter().map(changed).collect();
        let report =
            WordOrderReport { tokens, token, swap, order, positions, said: None, changes, without: None, left_out };
        let total = passes.len() as u64;
        let (patterns, written, off) = (Vec::new(), None, None);
        Ok(Some(Running { ids, places, asked, passes, total, patterns, written, off, report }))
    }
}

impl Task for ChangeOrder {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        if self.running.is_none() {
            self.running = self.begin(cx.models)?;
        }
        let Some(running) = &mut self.running else { return Ok(Step::More) };
        if let Some(pass) = running.passes.pop_front() {
            running.read(cx.models, self.model, &pass)?;
            let total = running.total;
            let done = total - running.passes.len() as u64;
            let label = "Reading the text in other orders".to_owned();
            (cx.emit)(Event::Progress { job: cx.job, label, done, total, unit: "passes" });
            return Ok(Step::More);
        }
        let Some(running) = self.running.take() else { return Ok(Step::More) };
        Ok(Step::Done(Outcome::OrderChanged(Arc::new(running.report))))
    }
}

impl Running {
    /// Makes one pass, and takes from it what is compared.
    fn read(&mut self, models: &ModelStore, id: ModelId, pass: &Pass) -> Result<(), UserError> {
        let moves = pass.how.is_some_and(Reordering::moves);
        let ids: Vec<u32> = match moves {
            true => self.report.order.iter().map(|token| self.ids[*token]).collect(),
            false => self.ids.clone(),
        };
        let states = states(models, id)?;
        let mut kept: SiteSet = pass.layers.clone().map(Site::Pattern).collect();
        if pass.is_first {
            states.iter().for_each(|site| kept.insert(*site));
        }
        let mut hooks = Hooks::off().keeping(kept).editing(self.edits(pass.how));
        trace(models, id, &ids, &mut hooks)?;
        let reading = match pass.is_first {
            true => Some(self.reading(models, id, &mut hooks, &states, moves)?),
            false => None,
        };
        let mut patterns = pass.layers.clone().filter_map(|layer| hooks.take_kept(Site::Pattern(layer)));
        let Some(how) = pass.how else {
            self.patterns = patterns.map(|pattern| pattern.tensor()).collect();
            if let Some(reading) = reading {
                self.report.said = reading.said.as_ref().map(|said| told(models, id, said)).transpose()?;
                self.written = Some(reading);
            }
            return Ok(());
        };
        let mut heads = Vec::new();
        for (before, now) in self.patterns.iter().zip(&mut patterns) {
            let now = if moves {
                placed(&placed(&now.tensor::<3>(), 1, &self.places), 2, &self.places)
            } else {
                now.tensor()
            };
            heads.push(floats(distances(before.clone(), now))?);
        }
        if let Some(change) = self.report.changes.iter_mut().find(|change| change.how == how) {
            change.heads.extend(heads);
            if let Some((written, now)) = self.written.as_ref().zip(reading.as_ref()) {
                change.cosines = written.vectors.iter().zip(&now.vectors).map(|(a, b)| cosine(a, b)).collect();
                change.pooled = written.pooled.as_ref().zip(now.pooled.as_ref()).map(|(a, b)| cosine(a, b));
                let said = written.said.as_ref().zip(now.said.as_ref());
                change.said = said.map(|(before, now)| answer(models, id, before, now)).transpose()?;
            }
        }
        let Some(reading) = reading else { return Ok(()) };
        match (how, self.off.take()) {
            (Reordering::PositionsOff, _) => self.off = Some(reading),
            (Reordering::ShuffledOff, Some(off)) => self.report.without = Some(without(&off, &reading)?),
            (_, off) => self.off = off,
        }
        Ok(())
    }

    fn edits(&self, how: Option<Reordering>) -> Vec<SiteEdit> {
        let change = match how {
            Some(Reordering::PositionsOff | Reordering::ShuffledOff) => Some(Change::Zero),
            Some(Reordering::Swapped) => self.report.swap.map(|[a, b]| Change::Swap(a, b)),
            Some(Reordering::Shuffled) | None => None,
        };
        self.report.positions.zip(change).map(|(site, change)| SiteEdit::whole(site, change)).into_iter().collect()
    }

    fn reading(
        &self,
        models: &ModelStore,
        id: ModelId,
        hooks: &mut Hooks,
        states: &[Site],
        moves: bool,
    ) -> Result<Reading, UserError> {
        let place = |token: usize| if moves { self.places[token] } else { token };
        let mut rows = Vec::new();
        let mut last = None;
        for site in states {
            let Some(state) = hooks.take_kept(*site) else { continue };
            let state = state.tensor::<3>().squeeze_dim::<2>(0); // [T, D]
            rows.push(state.clone().narrow(0, place(self.report.token), 1));
            last = Some(state);
        }
        let Some(last) = last else { return Err(unreadable("no state was kept")) };
        let width = last.dims()[1];
        let vectors = floats(Tensor::cat(rows, 0))?.chunks_exact(width).map(<[f32]>::to_vec).collect();
        // A decoder is asked at the end of the text, whatever stands there; an encoder at its mask, wherever that went.
        let asked = self.asked.map(|asked| if is_decoder(models, id) { asked } else { place(asked) });
        let said = match asked {
            Some(asked) => said(models, id, last.clone().narrow(0, asked, 1))?,
            None => None,
        };
        let pooled = match models.encoder_inside(id) {
            Some(model) if model.encoder.head().is_none() => Some(pooled(model, &last)?),
            _ => None,
        };
        let last = if moves { placed(&last, 0, &self.places) } else { last };
        Ok(Reading { vectors, last, said, pooled })
    }
}

/// Where a model is told positions.
fn position_site(sites: &[Site]) -> Option<Site> {
    sites.iter().copied().find(|site| matches!(site, Site::PosEmbed | Site::Rotary))
}

/// Where each token of the text stands once it is shuffled.
fn places(spec: &WordOrderSpec, tokens: usize) -> Result<Vec<usize>, UserError> {
    let wrong = |why: String| {
        let next = format!("Name tokens from 0 to {}, and in the order each of them once.", tokens.saturating_sub(1));
        Err(UserError::new("The order of the text cannot be changed like that.", why, next))
    };
    let outside = [spec.token].into_iter().chain(spec.swap.into_iter().flatten()).find(|token| *token >= tokens);
    if let Some(token) = outside {
        return wrong(format!("The text has {tokens} tokens, and none at {token}."));
    }
    let mut places = vec![None; tokens];
    for (place, token) in spec.order.iter().enumerate() {
        match places.get_mut(*token) {
            Some(free @ None) => *free = Some(place),
            Some(_) => return wrong(format!("The order names token {token} twice.")),
            None => return wrong(format!("The text has {tokens} tokens, and the order names {token}.")),
        }
    }
    match places.into_iter().collect::<Option<Vec<usize>>>() {
        Some(places) => Ok(places),
        None => wrong(format!("The order names {} of {tokens} tokens.", spec.order.len())),
    }
}

/// The layers whose patterns are compared in one pass after another, and what is left out. At least one pass is made.
fn stretches(info: &ModelInfo, tokens: usize) -> (Vec<Range<usize>>, Option<String>) {
    let (layers, heads) = info.shape.blocks().map_or((0, 0), |blocks| (blocks.layers, blocks.heads));
    let layer = [heads, tokens, tokens, 2 * size_of::<f32>()].into_iter().fold(1, usize::saturating_mul).max(1);
    let at_once = BUDGET_BYTES / layer;
    if at_once.saturating_mul(MOST_TIMES) < layers {
        let fits = (BUDGET_BYTES / (layers.div_ceil(MOST_TIMES) * heads * 2 * size_of::<f32>())).isqrt();
        let words = format!(
            "Heads are not compared: the weights of {layers} layers for {tokens} tokens are too many to keep twice. They are \
             compared in texts of up to {fits} tokens."
        );
        return (vec![Range::default()], Some(words));
    }
    let stretches = (0..layers).step_by(at_once.max(1)).map(|start| start..layers.min(start + at_once));
    (stretches.collect(), None)
}

/// The residual stream before the first block and after each.
fn states(models: &ModelStore, id: ModelId) -> Result<Vec<Site>, UserError> {
    let layers = match models.encoder_inside(id) {
        Some(model) => model.info.shape.layers(),
        _ => models.text(id)?.info.shape.layers(),
    };
    Ok(std::iter::once(Site::ResidPre(0)).chain((0..layers).map(Site::ResidPost)).collect())
}

fn is_decoder(models: &ModelStore, id: ModelId) -> bool {
    models.encoder_inside(id).is_none()
}

fn trace(models: &ModelStore, id: ModelId, ids: &[u32], hooks: &mut Hooks) -> Result<(), UserError> {
    match models.encoder_inside(id) {
        Some(model) => model.encoder.trace(&EncoderBatch::one(ids), hooks),
        _ => {
            let lm = &models.text(id)?.lm;
            lm.trace(lm.ids(ids), hooks);
        }
    }
    Ok(())
}

/// `x` with its rows along `axis` back where their tokens stand as written.
fn placed<const D: usize>(x: &Tensor<D>, axis: usize, places: &[usize]) -> Tensor<D> {
    let rows: Vec<i32> = places.iter().map(|place| *place as i32).collect();
    let count = rows.len();
    x.clone().select(axis, Tensor::<1, Int>::from_data(TensorData::new(rows, [count]), &x.device()))
}

/// The mean total variation between the rows of each head: `[H, T, T]` twice → `[H]`.
fn distances(before: Tensor<3>, now: Tensor<3>) -> Tensor<1> {
    (before - now).abs().sum_dim(2).mean_dim(1).mul_scalar(0.5).flatten(0, 2)
}

/// Logs of probabilities of what is said at a vector `[1, D]` behind the last block; `None` without a head.
fn said(models: &ModelStore, id: ModelId, vector: Tensor<2>) -> Result<Option<Vec<f64>>, UserError> {
    let vector = vector.unsqueeze::<3>(); // [1, 1, D]
    let (logits, name) = match models.encoder_inside(id) {
        Some(model) => (model.encoder.logits(vector, &mut Hooks::off()), &model.info.name),
        _ => {
            let model = models.text(id)?;
            (Some(model.lm.unembed(vector, &mut Hooks::off())), &model.info.name)
        }
    };
    let Some(logits) = logits else { return Ok(None) };
    let logits = floats(logits)?;
    if logits.iter().any(|logit| logit.is_nan()) {
        return Err(not_a_number(name, 0));
    }
    Ok(Some(log_softmax(&logits)))
}

fn pooled(model: &EncoderModel, last: &Tensor<2>) -> Result<Vec<f32>, UserError> {
    let [tokens, width] = last.dims();
    Ok(pool(&floats(last.clone())?, tokens, width, model.reads.pooling))
}

fn token_text(models: &ModelStore, id: ModelId, token: u32) -> Result<String, UserError> {
    Ok(match models.encoder_inside(id) {
        Some(model) => model.tokenizer.token_text(token),
        _ => models.text(id)?.tokenizer.token_text(token),
    })
}

/// The likeliest tokens.
fn told(models: &ModelStore, id: ModelId, said: &[f64]) -> Result<Vec<Candidate>, UserError> {
    let candidate = |(token, log): (u32, f64)| {
        Ok(Candidate { id: token, text: token_text(models, id, token)?, probability: log.exp() as f32 })
    };
    top_candidates(said, TOP).into_iter().map(candidate).collect()
}

fn answer(models: &ModelStore, id: ModelId, before: &[f64], now: &[f64]) -> Result<ChangedAnswer, UserError> {
    let likeliest = top_candidates(before, TOP).into_iter();
    let written = likeliest.map(|(token, _)| now[token as usize].exp() as f32).collect();
    let top = told(models, id, now)?.into_iter();
    let top = top.map(|candidate| {
        let probability = before[candidate.id as usize].exp() as f32;
        (candidate, probability)
    });
    Ok(ChangedAnswer { kl: divergence(before, now), written, top: top.collect() })
}

/// Σ p (ln p − ln q), in nats, from the logs of both.
fn divergence(before: &[f64], now: &[f64]) -> f64 {
    let terms = before.iter().zip(now).filter(|(p, _)| p.is_finite());
    // Rounding may leave a crumb below 0.
    terms.map(|(p, q)| p.exp() * (p - q)).sum::<f64>().max(0.0)
}

fn without(off: &Reading, shuffled: &Reading) -> Result<WithoutOrder, UserError> {
    let largest = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, nan_or_larger);
    let token = off.vectors.iter().zip(&shuffled.vectors).map(|(a, b)| largest(a, b)).collect();
    let (in_order, moved) = (floats(off.last.clone())?, floats(shuffled.last.clone())?);
    let size = in_order.iter().map(|x| x.abs()).fold(0.0, nan_or_larger);
    Ok(WithoutOrder { token, all: largest(&in_order, &moved), largest: size })
}

/// The larger of two, and NaN where one is.
fn nan_or_larger(a: f32, b: f32) -> f32 {
    if a.is_nan() || b.is_nan() { f32::NAN } else { a.max(b) }
}

fn floats<const D: usize>(values: Tensor<D>) -> Result<Vec<f32>, UserError> {
    values.into_data().try_to_vec::<f32>().map_err(|error| unreadable(format!("{error:?}")))
}

#[cfg(test)]
#[path = "word_order_tests.rs"]
mod tests;
