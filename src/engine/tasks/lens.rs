//! What the residual stream would say after each layer.

use super::contexts::states;
use super::edits::Anatomy;
use super::embed::unreadable;
use super::{LoadedModel, ModelStore, Step, Task, TaskContext, prompt};
use crate::engine::{Event, LensSpec, Outcome};
use crate::load::Tokenizer;
use crate::nn::output::lens::EndRows;
use crate::nn::{EncoderBatch, Hooks};
use crate::types::{LensCell, LensReport, LensTarget, ModelId, ModelInfo, PromptToken, Site, SiteSet, UserError};
use burn::tensor::Tensor;
use std::sync::Arc;

/// Tokens that are told of each cell.
const TOP: usize = 10;
/// Tokens whose states are unembedded at once, at most: so many that each weight of the head is read for many of them.
const TILE: usize = 256;
/// What their scores may take, those they end in, and their probabilities.
const TILE_BYTES: usize = 256 << 20;
/// Those of the first tile: the last token alone, in the arithmetic in which the model is asked what comes next, so that a difference to
/// what it says is one of the lens and not of rounding.
const FIRST: usize = 1;
/// The states that are kept, and the scores of a tile, may take this much.
const BUDGET_BYTES: usize = 1 << 30;

/// Reads a text in one pass, then unembeds the states of a few tokens in one layer a step.
pub(crate) struct Lens {
    model: ModelId,
    spec: LensSpec,
    reading: prompt::Reading,
    read: Option<Read>,
}

/// A text that was read.
struct Read {
    tokens: Vec<PromptToken>,
    target: Option<LensTarget>,
    /// By layer, the states before the first block and behind each: `[1, T, D]`.
    states: Vec<Tensor<3>>,
    /// What the model says at the last token, in the way in which it generates: `[1, V]`.
    output: Tensor<2>,
    off: f32,
    cells: Vec<Vec<LensCell>>,
    tile: Option<Tile>,
    /// Tokens from this one on have their cells.
    done_from: usize,
}

/// Some tokens under way, from the first to before the last.
struct Tile {
    start: usize,
    end: usize,
    ends: EndRows,
    followed: Vec<u32>,
    /// How many states are still to be unembedded: the last go first.
    left: usize,
}

impl Lens {
    /// To look through the layers of `model` while it reads a prompt.
    pub(crate) fn new(model: ModelId, spec: LensSpec) -> Self {
        Self { model, spec, reading: prompt::Reading::default(), read: None }
    }

    /// Makes the one pass; nothing while the prompt is not split into tokens.
    fn read(&mut self, models: &ModelStore) -> Result<Option<Read>, UserError> {
        if let Some(LoadedModel::Vision(model)) = models.get(self.model) {
            return Err(of_pictures(&model.info));
        }
        let sites = states(models, self.model)?;
        let (tokens, target, mut hooks, output) = match models.get(self.model) {
            Some(LoadedModel::Encoder(model)) => {
                if model.encoder.head().is_none() {
                    return Err(no_head(&model.info));
                }
                let tokens = prompt::read_encoder(model, &self.spec.prompt)?;
                let target = first_token(&model.tokenizer, self.spec.target.as_deref())?;
                let mut hooks = self.hooks(&Anatomy::of_encoder(model), tokens.len(), &sites)?;
                let hidden = model.encoder.forward(&EncoderBatch::one(&ids(&tokens)), &mut hooks).hidden;
                let last = hidden.narrow(1, tokens.len() - 1, 1);
                let output = model.encoder.logits(last, &mut Hooks::off()).ok_or_else(|| no_head(&model.info))?;
                (tokens, target, hooks, output.squeeze_dim::<2>(1))
            }
            _ => {
                let model = models.text(self.model)?;
                let Some(tokens) = self.reading.read(model, &self.spec.prompt)? else { return Ok(None) };
                let target = first_token(&model.tokenizer, self.spec.target.as_deref())?;
                let mut hooks = self.hooks(&Anatomy::of(model), tokens.len(), &sites)?;
                let ids = model.lm.ids(&ids(&tokens));
                let output = model.lm.forward_cached(ids, &mut model.lm.new_state(), &mut hooks);
                (tokens, target, hooks, output)
            }
        };
        let count = tokens.len();
        let states: Option<Vec<Tensor<3>>> =
            sites.iter().map(|site| Some(hooks.take_kept(*site)?.tensor::<3>())).collect();
        Ok(Some(Read {
            cells: vec![vec![LensCell::default(); count]; sites.len()],
            states: states.ok_or_else(|| unreadable("a state of the residual stream was not kept".to_owned()))?,
            done_from: count,
            tile: None,
            off: f32::INFINITY,
            tokens,
            target,
            output,
        }))
    }

    fn hooks(&self, anatomy: &Anatomy<'_>, tokens: usize, kept: &[Site]) -> Result<Hooks, UserError> {
        check_room(anatomy.info, tokens)?;
        let edits = anatomy.place(&self.spec.edits, tokens)?;
        if let Some(edit) = edits.iter().find(|edit| matches!(edit.site, Site::LnFinal | Site::Logits)) {
            return Err(behind_the_stream(edit.site));
        }
        Ok(Hooks::off().keeping(kept.iter().copied().collect::<SiteSet>()).editing(edits))
    }
}

impl Task for Lens {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let Some(read) = &mut self.read else {
            self.read = self.read(cx.models)?;
            return Ok(Step::More);
        };
        if read.tile.is_none() && read.done_from == 0 {
            let read = self.read.take().unwrap_or_else(|| unreachable!("it was there above"));
            return Ok(Step::Done(Outcome::LensRead(Arc::new(report(cx.models, self.model, read)?))));
        }
        let unembed = |states: Tensor<3>| unembed(cx.models, self.model, states);
        match &mut read.tile {
            None => read.begin_tile(unembed)?,
            Some(_) => read.unembed_layer(unembed)?,
        }
        if read.tile.is_none() {
            let total = read.tokens.len() as u64;
            let (label, done) = ("Reading the layers".to_owned(), total - read.done_from as u64);
            (cx.emit)(Event::Progress { job: cx.job, label, done, total, unit: "tokens" });
        }
        Ok(Step::More)
    }
}

impl Read {
    /// Scores what the next tokens, from the end of the text on, end in.
    fn begin_tile(&mut self, unembed: impl Fn(Tensor<3>) -> Result<Tensor<2>, UserError>) -> Result<(), UserError> {
        let (end, count) = (self.done_from, self.tokens.len());
        let vocabulary = self.output.dims()[1];
        let start = end.saturating_sub(if end == count { FIRST } else { tile(vocabulary) });
        let last = self.states.len() - 1;
        let ends = EndRows::read(unembed(self.states[last].clone().narrow(1, start, end - start))?);
        let ends = ends.map_err(|error| unreadable(error.0))?;
        if end == count {
            let output = EndRows::read(self.output.clone()).map_err(|error| unreadable(error.0))?;
            let pairs = output.probabilities(0).iter().zip(ends.probabilities(count - 1 - start));
            // `max` would hide what is no number.
            self.off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, |most, off| if off <= most { most } else { off });
        }
        let followed = (start..end).map(|token| match &self.target {
            Some(target) => target.id,
            None => ends.most_likely(token - start),
        });
        let followed = followed.collect();
        self.tile = Some(Tile { start, end, ends, followed, left: self.states.len() });
        Ok(())
    }

    /// Unembeds one more state of the tokens under way.
    fn unembed_layer(&mut self, unembed: impl Fn(Tensor<3>) -> Result<Tensor<2>, UserError>) -> Result<(), UserError> {
        let Some(tile) = &mut self.tile else { return Ok(()) };
        tile.left -= 1;
        let (layer, start) = (tile.left, tile.start);
        let logits = unembed(self.states[layer].clone().narrow(1, start, tile.end - start))?;
        let said = tile.ends.beside(logits, &tile.followed, TOP).map_err(|error| unreadable(error.0))?;
        for ((said, followed), cell) in said.into_iter().zip(&tile.followed).zip(&mut self.cells[layer][start..]) {
            let (top, entropy, divergence) = (said.top, said.entropy, said.divergence);
            *cell =
                LensCell { top, entropy, divergence, followed: *followed, rank: said.rank, log_prob: said.log_prob };
        }
        if tile.left == 0 {
            self.done_from = start;
            self.tile = None;
        }
        Ok(())
    }
}

fn ids(tokens: &[PromptToken]) -> Vec<u32> {
    tokens.iter().map(|token| token.id).collect()
}

/// Scores of states, `[1, R, D]` → `[R, V]`.
fn unembed(models: &ModelStore, id: ModelId, states: Tensor<3>) -> Result<Tensor<2>, UserError> {
    let logits = match models.get(id) {
        Some(LoadedModel::Encoder(model)) => {
            model.encoder.logits(states, &mut Hooks::off()).ok_or_else(|| no_head(&model.info))?
        }
        _ => models.text(id)?.lm.unembed(states, &mut Hooks::off()),
    };
    Ok(logits.squeeze_dim(0))
}

fn report(models: &ModelStore, id: ModelId, read: Read) -> Result<LensReport, UserError> {
    let tokenizer = match models.get(id) {
        Some(LoadedModel::Encoder(model)) => &model.tokenizer,
        _ => &models.text(id)?.tokenizer,
    };
    let cells = read.cells.iter().flatten();
    let named = cells.flat_map(|cell| cell.top.iter().map(|(id, _)| *id).chain([cell.followed]));
    let mut names = std::collections::BTreeMap::new();
    for id in named {
        names.entry(id).or_insert_with(|| tokenizer.token_text(id));
    }
    Ok(LensReport { tokens: read.tokens, states: read.cells, target: read.target, names, off: read.off })
}

/// The first token of a text, as it would go on behind another one.
pub(super) fn first_token(tokenizer: &Tokenizer, text: Option<&str>) -> Result<Option<LensTarget>, UserError> {
    let Some(text) = text else { return Ok(None) };
    let ids = tokenizer.continuation_ids(text)?;
    let Some(id) = ids.first() else {
        return Err(UserError::new(
            format!("{text:?} has no token to follow."),
            "The model reads and writes tokens, and this text has none.",
            "Write a word, with the blank before it if it follows another one, or leave it out.",
        ));
    };
    Ok(Some(LensTarget { id: *id, text: tokenizer.token_text(*id), of: ids.len() }))
}

/// Tokens of a tile.
fn tile(vocabulary: usize) -> usize {
    (TILE_BYTES / bytes_of_row(vocabulary).max(1)).clamp(1, TILE)
}

/// What a tile takes for each of its tokens.
fn bytes_of_row(vocabulary: usize) -> usize {
    vocabulary.saturating_mul(3 * size_of::<f32>())
}

/// Known before anything is computed.
fn check_room(info: &ModelInfo, tokens: usize) -> Result<(), UserError> {
    let blocks = info.shape.blocks();
    let (layers, hidden) = blocks.map_or((0, 0), |blocks| (blocks.layers, blocks.hidden));
    let vocabulary = info.shape.vocabulary().unwrap_or(0);
    let of_token = (layers + 1).saturating_mul(hidden).saturating_mul(size_of::<f32>());
    let of_tile = tile(vocabulary).min(tokens).saturating_mul(bytes_of_row(vocabulary));
    let bytes = tokens.saturating_mul(of_token).saturating_add(of_tile);
    if bytes <= BUDGET_BYTES {
        return Ok(());
    }
    let fits = BUDGET_BYTES.saturating_sub(of_tile) / of_token.max(1);
    Err(UserError::new(
        format!("The layers of {} take {} MiB for {tokens} tokens.", info.name, bytes >> 20),
        format!(
            "The states of all {layers} layers are kept until they are read; at most {} MiB are.",
            BUDGET_BYTES >> 20
        ),
        format!("Shorten the prompt to at most {fits} tokens."),
    ))
}

fn no_head(info: &ModelInfo) -> UserError {
    UserError::new(
        format!("The layers of {} say no tokens.", info.name),
        "It turns texts into vectors and has no head that guesses masked tokens, so nothing tells what a state would say.",
        "Choose a model that writes, or an encoder with a head for masked tokens.",
    )
}

fn of_pictures(info: &ModelInfo) -> UserError {
    UserError::new(
        format!("The layers of {} say no tokens.", info.name),
        "It reads pictures and tells a class for the whole of one.",
        "Choose a model that writes, or an encoder with a head for masked tokens.",
    )
}

fn behind_the_stream(site: Site) -> UserError {
    UserError::new(
        format!("The lens cannot be read with a change at {site}."),
        "It reads the residual stream; the last normalisation and the scores lie behind it and are computed anew for each \
         layer.",
        "Leave that change out, or change a site of a block.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Architecture, Blocks, Precision, Shape};

    #[test]
    fn what_does_not_fit_is_refused_with_how_many_tokens_would() {
        let blocks = Blocks { layers: 79, heads: 64, kv_heads: 8, hidden: 8192 };
        let info = ModelInfo {
            id: ModelId::next(),
            name: "large".into(),
            path: "".into(),
            architecture: Architecture::Llama,
            precision: Precision::F16,
            parameters: 1,
            shape: Shape::Decoder { blocks, vocabulary: 128_000, context: 1 << 17 },
            held_out: None,
            own_sampling: None,
            modified: false,
            trained_steps: 0,
        };
        // 80 states of 8192 numbers are 2.5 MiB a token, a tile of 174 tokens is 254.9 MiB.
        assert_eq!((tile(128_000), tile(1000), tile(usize::MAX)), (174, TILE, 1));
        assert_eq!(check_room(&info, 307), Ok(()));
        let error = check_room(&info, 308).unwrap_err();
        assert!(error.what.contains("1024 MiB for 308 tokens") && error.next.contains("at most 307 tokens"), "{error}");
    }
}
