//! What the residual stream would say after each layer.

use super::contexts::states;
use super::edits::{Anatomy, fixed};
use super::embed::unreadable;
use super::fit_lens::check_fits;
use super::{LoadedModel, ModelStore, Step, Task, TaskContext, prompt};
use crate::engine::{Event, LensSpec, Outcome};
use crate::load::Tokenizer;
use crate::nn::output::lens::EndRows;
use crate::nn::{DecoderState, EncoderBatch, Hooks, SiteEdit};
use crate::types::{
    Ability, JacobianLens, LensCell, LensReport, LensTarget, ModelId, ModelInfo, PromptToken, Site, SiteSet, UserError,
};
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tokens that are told of each cell.
const TOP: usize = 10;
/// Tokens of the first tile: so few that they are there at once.
const FIRST: usize = 4;
/// Tokens whose states are unembedded at once, at most: so many that each weight of the head is read for many of them.
const TILE: usize = 64;
/// What their scores may take, those they end in, and their probabilities.
const TILE_BYTES: usize = 256 << 20;
/// What a cell takes with the tokens it tells.
const CELL_BYTES: usize = 160;
/// What is kept of the pass, and the scores of a tile, may take this much.
const BUDGET_BYTES: usize = 1 << 30;
/// What is read is told this often, at most.
const TOLD_EVERY: Duration = Duration::from_millis(100);

/// Reads a text, a few tokens at a time from its beginning on, and unembeds their states, in some layers a step.
pub(crate) struct Lens {
    model: ModelId,
    spec: LensSpec,
    reading: prompt::Reading,
    read: Option<Read>,
}

/// A text that is read.
struct Read {
    tokens: Vec<PromptToken>,
    target: Option<LensTarget>,
    /// The lens that states are read through, if one was fitted, and its matrices as they stand at the right of a state.
    lens: Option<Arc<JacobianLens>>,
    matrices: Vec<Tensor<3>>,
    pass: Pass,
    /// What was kept of the pass, from which token on: by layer, the states before the first block and behind each, `[1, T, D]`.
    piece: (usize, Vec<Tensor<3>>),
    /// What the model says at the last token, in the way in which it generates, once it is read: `[1, V]`.
    output: Option<Tensor<2>>,
    off: f32,
    /// Of each state, those of the tokens that are done.
    cells: Vec<Vec<LensCell>>,
    names: BTreeMap<u32, String>,
    /// Tokens of a tile, at most.
    tile_size: usize,
    tile: Option<Tile>,
    told: Option<Instant>,
}

/// How the states come to be.
enum Pass {
    /// A model that writes reads on where it was.
    Behind { state: DecoderState, edits: Vec<SiteEdit> },
    /// An encoder, in which each token sees all others, reads all at once.
    Whole(Vec<SiteEdit>),
}

/// Some tokens under way.
struct Tile {
    tokens: Range<usize>,
    ends: EndRows,
    followed: Vec<u32>,
    /// Their cells, by state.
    cells: Vec<Vec<LensCell>>,
}

impl Lens {
    /// To look through the layers of `model` while it reads a prompt.
    pub(crate) fn new(model: ModelId, spec: LensSpec) -> Self {
        Self { model, spec, reading: prompt::Reading::default(), read: None }
    }

    /// What is to be read; nothing while the prompt is not split into tokens.
    fn begin(&mut self, models: &ModelStore) -> Result<Option<Read>, UserError> {
        if let Some(LoadedModel::Vision(model)) = models.get(self.model) {
            return Err(of_pictures(&model.info));
        }
        if let Some(lens) = &self.spec.fitted {
            check_fits(lens, &models.text(self.model)?.info)?;
        }
        let vocabulary = models.get(self.model).and_then(|model| model.info().shape.vocabulary());
        let (tokens, target, pass) = match models.get(self.model) {
            Some(LoadedModel::Encoder(model)) => {
                if model.encoder.head().is_none() {
                    return Err(no_head(&model.info));
                }
                let tokens = prompt::read_encoder(model, &self.spec.prompt)?;
                let target = first_token(&model.tokenizer, self.spec.target.as_deref())?;
                let edits = self.edits(&Anatomy::of_encoder(model), tokens.len())?;
                (tokens, target, Pass::Whole(edits))
            }
            _ => {
                let model = models.text(self.model)?;
                let Some(tokens) = self.reading.read(model, &self.spec.prompt)? else { return Ok(None) };
                let target = first_token(&model.tokenizer, self.spec.target.as_deref())?;
                let edits = self.edits(&Anatomy::of(model), tokens.len())?;
                let edits = fixed(model, &ids(&tokens), edits);
                (tokens, target, Pass::Behind { state: model.lm.new_state(), edits })
            }
        };
        let names = target.iter().map(|target| (target.id, target.text.clone())).collect();
        let (states, tile_size) = (states(models, self.model)?.len(), tile(vocabulary.unwrap_or(0)));
        let lens = self.spec.fitted.clone();
        let matrices = match &lens {
            Some(lens) => right_of_states(lens, &models.text(self.model)?.lm.device()),
            None => Vec::new(),
        };
        Ok(Some(Read {
            tokens,
            target,
            lens,
            matrices,
            pass,
            piece: (0, Vec::new()),
            output: None,
            off: f32::INFINITY,
            cells: vec![Vec::new(); states],
            names,
            tile_size,
            tile: None,
            told: None,
        }))
    }

    fn edits(&self, anatomy: &Anatomy<'_>, tokens: usize) -> Result<Vec<SiteEdit>, UserError> {
        check_room(anatomy.info, tokens)?;
        let edits = anatomy.place(&self.spec.edits, tokens)?;
        match edits.iter().find(|edit| matches!(edit.site, Site::LnFinal | Site::Logits)) {
            Some(edit) => Err(behind_the_stream(edit.site)),
            None => Ok(edits),
        }
    }
}

impl Task for Lens {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let Some(read) = &mut self.read else {
            self.read = self.begin(cx.models)?;
            return Ok(Step::More);
        };
        let total = read.tokens.len();
        let unembed = |states: Tensor<3>| unembed(cx.models, self.model, states);
        match read.tile {
            None if read.has_states() => read.begin_tile(unembed)?,
            None => read.read_on(cx.models, self.model)?,
            Some(_) => read.unembed_layers(unembed)?,
        }
        if !read.is_tile_done() {
            return Ok(Step::More);
        }
        read.end_tile(cx.models, self.model)?;
        if read.done() == total {
            return Ok(Step::Done(Outcome::LensRead(Arc::new(read.report()))));
        }
        if read.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            read.told = Some(Instant::now());
            (cx.emit)(Event::SoFar { job: cx.job, outcome: Outcome::LensRead(Arc::new(read.report())) });
        }
        let (label, done) = ("Reading the layers".to_owned(), read.done() as u64);
        (cx.emit)(Event::Progress { job: cx.job, label, done, total: total as u64, unit: "tokens" });
        Ok(Step::More)
    }

    fn cancel(&mut self, _cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        let read = self.read.as_ref().filter(|read| read.done() > 0);
        Ok(read.map_or(Outcome::Cancelled, |read| Outcome::LensRead(Arc::new(read.report()))))
    }
}

impl Read {
    /// Tokens that have their cells.
    fn done(&self) -> usize {
        self.cells[0].len()
    }

    /// True where the next token was read.
    fn has_states(&self) -> bool {
        let (start, states) = &self.piece;
        states.first().is_some_and(|state| start + state.dims()[1] > self.done())
    }

    /// Behind which token the next tile ends: each doubles what there is, and the last token is alone, in the arithmetic in which the
    /// model is asked what comes next, so that a difference to what it says is one of the lens and not of rounding.
    fn next_end(&self) -> usize {
        let (done, count) = (self.done(), self.tokens.len());
        if done + 1 == count { count } else { (done + done.max(FIRST).min(self.tile_size)).min(count - 1) }
    }

    /// Reads the next tokens, or all of them.
    fn read_on(&mut self, models: &ModelStore, id: ModelId) -> Result<(), UserError> {
        let sites = states(models, id)?;
        let keeping = |edits: &[SiteEdit]| {
            let sites = sites.iter().copied().collect::<SiteSet>();
            Hooks::off().keeping(sites).editing(edits.to_vec())
        };
        let (start, count) = (self.done(), self.tokens.len());
        let (mut hooks, output) = match models.get(id) {
            Some(LoadedModel::Encoder(model)) => {
                let Pass::Whole(edits) = &self.pass else { unreachable!("of an encoder") };
                let mut hooks = keeping(edits);
                let hidden = model.encoder.forward(&EncoderBatch::one(&ids(&self.tokens)), &mut hooks).hidden;
                let last = hidden.narrow(1, count - 1, 1);
                let output = model.encoder.logits(last, &mut Hooks::off()).ok_or_else(|| no_head(&model.info))?;
                (hooks, Some(output.squeeze_dim::<2>(1)))
            }
            _ => {
                let model = models.text(id)?;
                let mut end = self.next_end();
                // One token more costs less than a pass of its own.
                end = if end + 1 == count { count } else { end };
                let Pass::Behind { state, edits } = &mut self.pass else { unreachable!("of a model that writes") };
                let mut hooks = keeping(edits);
                let piece = model.lm.ids(&ids(&self.tokens[start..end]));
                let output = model.lm.forward_cached(piece, state, &mut hooks);
                (hooks, (end == count).then_some(output))
            }
        };
        let states: Option<Vec<Tensor<3>>> =
            sites.iter().map(|site| Some(hooks.take_kept(*site)?.tensor::<3>())).collect();
        let states = states.ok_or_else(|| unreadable("a state of the residual stream was not kept".to_owned()))?;
        self.piece = (start, self.through_lens(states));
        self.output = output;
        Ok(())
    }

    /// The states as the lens takes them to the end: those that leave a block but the last. What enters the first has no lens.
    fn through_lens(&self, states: Vec<Tensor<3>>) -> Vec<Tensor<3>> {
        let through =
            |(state, x): (usize, Tensor<3>)| match state.checked_sub(1).and_then(|block| self.matrices.get(block)) {
                Some(matrix) => x.matmul(matrix.clone()),
                None => x,
            };
        states.into_iter().enumerate().map(through).collect()
    }

    /// A state of some of the tokens, `[1, R, D]`.
    fn state(&self, layer: usize, tokens: &Range<usize>) -> Tensor<3> {
        let (start, states) = &self.piece;
        states[layer].clone().narrow(1, tokens.start - start, tokens.len())
    }

    /// Scores what the next tokens end in.
    fn begin_tile(&mut self, unembed: impl Fn(Tensor<3>) -> Result<Tensor<2>, UserError>) -> Result<(), UserError> {
        let (tokens, count) = (self.done()..self.next_end(), self.tokens.len());
        let ends = EndRows::read(unembed(self.state(self.cells.len() - 1, &tokens))?);
        let ends = ends.map_err(|error| unreadable(error.0))?;
        if let Some(output) = self.output.as_ref().filter(|_| tokens.end == count) {
            let output = EndRows::read(output.clone()).map_err(|error| unreadable(error.0))?;
            let pairs = output.probabilities(0).iter().zip(ends.probabilities(tokens.len() - 1));
            // `max` would hide what is no number.
            self.off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, |most, off| if off <= most { most } else { off });
        }
        let followed = (0..tokens.len()).map(|row| match &self.target {
            Some(target) => target.id,
            None => ends.most_likely(row),
        });
        let followed = followed.collect();
        self.tile = Some(Tile { tokens, ends, followed, cells: Vec::new() });
        Ok(())
    }

    /// Unembeds more states of the tokens under way: of few tokens several at once.
    fn unembed_layers(&mut self, unembed: impl Fn(Tensor<3>) -> Result<Tensor<2>, UserError>) -> Result<(), UserError> {
        let Some(mut tile) = self.tile.take() else { return Ok(()) };
        let (first, rows) = (tile.cells.len(), tile.tokens.len());
        let layers = first..(first + (self.tile_size / rows).max(1)).min(self.cells.len());
        let states = layers.map(|layer| self.state(layer, &tile.tokens)).collect();
        let logits = unembed(Tensor::cat(states, 1))?;
        let said = tile.ends.beside(logits, &tile.followed, TOP).map_err(|error| unreadable(error.0))?;
        let cells = said.into_iter().zip(tile.followed.iter().cycle()).map(|(said, followed)| LensCell {
            top: said.top,
            entropy: said.entropy,
            divergence: said.divergence,
            followed: *followed,
            rank: said.rank,
            log_prob: said.log_prob,
        });
        let cells: Vec<LensCell> = cells.collect();
        tile.cells.extend(cells.chunks(rows).map(<[LensCell]>::to_vec));
        self.tile = Some(tile);
        Ok(())
    }

    fn is_tile_done(&self) -> bool {
        self.tile.as_ref().is_some_and(|tile| tile.cells.len() == self.cells.len())
    }

    /// Takes up the cells of the tokens under way, and names the tokens they tell.
    fn end_tile(&mut self, models: &ModelStore, id: ModelId) -> Result<(), UserError> {
        let tokenizer = match models.get(id) {
            Some(LoadedModel::Encoder(model)) => &model.tokenizer,
            _ => &models.text(id)?.tokenizer,
        };
        let Some(tile) = self.tile.take() else { return Ok(()) };
        let named =
            tile.cells.iter().flatten().flat_map(|cell| cell.top.iter().map(|(id, _)| *id).chain([cell.followed]));
        for id in named {
            self.names.entry(id).or_insert_with(|| tokenizer.token_text(id));
        }
        for (state, cells) in self.cells.iter_mut().zip(tile.cells) {
            state.extend(cells);
        }
        Ok(())
    }

    /// What is read so far.
    fn report(&self) -> LensReport {
        LensReport {
            tokens: self.tokens[..self.done()].to_vec(),
            total: self.tokens.len(),
            lens: self.lens.as_ref().map(|lens| lens.words()),
            states: self.cells.clone(),
            target: self.target.clone(),
            names: self.names.clone(),
            off: self.off,
        }
    }
}

/// `[1, D, D]` each.
fn right_of_states(lens: &JacobianLens, device: &Device) -> Vec<Tensor<3>> {
    let matrix = |values: &Vec<f32>| {
        Tensor::<2>::from_data(TensorData::new(values.clone(), [lens.width; 2]), device).transpose().unsqueeze()
    };
    lens.matrices.iter().map(matrix).collect()
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
    let layers = info.shape.layers();
    let [of_token, of_tile] = bytes(info, tokens);
    let bytes = tokens.saturating_mul(of_token).saturating_add(of_tile);
    if bytes <= BUDGET_BYTES {
        return Ok(());
    }
    let fits = BUDGET_BYTES.saturating_sub(of_tile) / of_token.max(1);
    Err(UserError::new(
        format!("The layers of {} take {} MiB for {tokens} tokens.", info.name, bytes >> 20),
        format!(
            "What all {layers} layers make of the text is kept until it is read to its end; at most {} MiB are.",
            BUDGET_BYTES >> 20
        ),
        format!("Shorten the prompt to at most {fits} tokens."),
    ))
}

/// What is kept of each token, and what a tile takes.
fn bytes(info: &ModelInfo, tokens: usize) -> [usize; 2] {
    let Some(blocks) = info.shape.blocks() else { return [0; 2] };
    let vocabulary = info.shape.vocabulary().unwrap_or(0);
    let states = (blocks.layers + 1).saturating_mul(blocks.hidden).saturating_mul(size_of::<f32>());
    let cells = (blocks.layers + 1) * CELL_BYTES;
    let scores = tile(vocabulary).min(tokens).saturating_mul(bytes_of_row(vocabulary));
    if info.can(Ability::Continue) {
        // Keys and values, of which a model that writes has no more than it has states.
        let width = blocks.hidden / blocks.heads.max(1) * blocks.kv_heads;
        let kept = 2 * blocks.layers.saturating_mul(width).saturating_mul(size_of::<f32>());
        let of_piece = (tile(vocabulary) + 1).min(tokens).saturating_mul(states);
        [kept + cells, scores.saturating_add(of_piece)]
    } else {
        [states + cells, scores]
    }
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
            shape: Shape::Decoder { blocks: blocks.into(), vocabulary: 128_000, context: 1 << 17 },
            held_out: None,
            own_sampling: None,
            quantised: None,
            adapter: None,
            modified: false,
            trained_steps: 0,
        };
        // Keys and values are 632 KiB a token, and its cells 12.5; a piece of 65 tokens and the scores of 64 are 256.2 MiB.
        assert_eq!((tile(128_000), tile(1000), tile(usize::MAX)), (TILE, TILE, 1));
        assert_eq!(check_room(&info, 1219), Ok(()));
        let error = check_room(&info, 1220).unwrap_err();
        assert!(
            error.what.contains("1024 MiB for 1220 tokens") && error.next.contains("at most 1219 tokens"),
            "{error}"
        );
    }
}
