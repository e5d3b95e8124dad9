//! How likely tokens are that follow a common beginning. The beginning is read once into a cache; what follows it is read as
//! trees, in which whatever sequences have in common (a query before several answers, mostly) is read once too.
//!
//! Edits are placed in the prompt of each sequence. What is read once is read under the same changes: the beginning ends
//! where they part, and a tree holds only sequences whose changes are the same.

use super::edits::{Anatomy, fixed};
use super::embed::unreadable;
use crate::load::TextModel;
use crate::nn::output::sample;
use crate::nn::{Change, DecoderState, Hooks, SiteEdit, TokenTree};
use crate::types::{Edit, UserError};
use std::collections::HashMap;

/// Tokens of the beginning read in one step.
const BEGINNING_CHUNK: usize = 128;
/// Tokens of the largest tree: each is compared with all others, which would soon outweigh everything else.
const TREE: usize = 128;
/// Scores a step may hold, over all positions and the whole vocabulary: 64 MB.
const LOGITS: usize = 1 << 24;
/// Multiplications a step is aimed at: some 200 ms on two cores. The weights are laid out anew in each step, so a small one costs more
/// a token.
const MULTIPLICATIONS: u64 = 16_000_000_000;

/// Tokens, of which the last ones are scored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    /// From the first token of the prompt on.
    pub ids: Vec<u32>,
    /// How many of the last ones are scored; at least one token stands before them.
    pub scored: usize,
}

impl Sequence {
    /// An answer after a prompt, whose tokens alone are scored.
    pub(super) fn new(prompt: &[u32], answer: &[u32]) -> Self {
        Self { ids: [prompt, answer].concat(), scored: answer.len() }
    }

    /// Tokens of the prompt: those that are not scored.
    fn prompt(&self) -> &[u32] {
        &self.ids[..self.ids.len() - self.scored]
    }

    /// Tokens the model has to read: all but the last.
    pub(super) fn read(&self) -> usize {
        self.ids.len() - 1
    }

    /// The tokens that are scored.
    pub(super) fn scored_ids(&self) -> &[u32] {
        &self.ids[self.ids.len() - self.scored..]
    }
}

/// What the model makes of the scored tokens of one sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scored {
    /// Natural logarithm of each token's probability over the whole vocabulary.
    pub log_probs: Vec<f64>,
    /// The most likely token in the place of each.
    pub best: Vec<u32>,
}

impl Scored {
    /// ln P of all tokens together.
    pub(super) fn sum(&self) -> f64 {
        self.log_probs.iter().sum()
    }
}

/// Sequences on their way through a model.
pub(super) struct Continuations {
    /// What all sequences begin with.
    beginning: Vec<u32>,
    state: DecoderState,
    sequences: Vec<Sequence>,
    changes: Changes,
    scores: Vec<Scored>,
    tokens_a_step: usize,
}

/// The changes under which sequences are read.
struct Changes {
    /// Each kind once, and the prompt that its means are of.
    kinds: Vec<(Vec<SiteEdit>, Vec<u32>)>,
    /// Of each sequence, which kind.
    of_sequence: Vec<usize>,
    /// The kind that was used last, in the form that holds for parts of the prompt.
    hooks: Option<(usize, Hooks)>,
}

impl Changes {
    /// Places edits in every prompt.
    ///
    /// # Errors
    /// When an edit names what the model or a prompt has not.
    fn new(model: &TextModel, sequences: &[Sequence], edits: &[Edit]) -> Result<Self, UserError> {
        let anatomy = Anatomy::of(model);
        let (mut kinds, mut known, mut of_sequence) = (Vec::new(), HashMap::new(), Vec::new());
        for sequence in sequences {
            let prompt = sequence.prompt();
            let placed = anatomy.place(edits, prompt.len())?;
            let has_mean = placed.iter().any(|edit| matches!(edit.change, Change::Mean));
            let key = (placed.iter().map(Reach::of).collect::<Vec<_>>(), has_mean.then(|| prompt.to_vec()));
            let kind = *known.entry(key).or_insert_with(|| {
                kinds.push((placed, prompt.to_vec()));
                kinds.len() - 1
            });
            of_sequence.push(kind);
        }
        Ok(Self { kinds, of_sequence, hooks: None })
    }

    /// How many of the first tokens, `most` at most, are read under the same changes in every sequence.
    fn shared(&self, most: usize) -> usize {
        let [(first, _), others @ ..] = &self.kinds[..] else { return most };
        if !others.is_empty() && first.iter().any(|edit| matches!(edit.change, Change::Mean)) {
            return 0;
        }
        let reaches = |edits: &[SiteEdit], at| edits.iter().map(|edit| Reach::of(edit).holds(at)).collect::<Vec<_>>();
        let is_same = |at: &usize| others.iter().all(|(edits, _)| reaches(edits, *at) == reaches(first, *at));
        (0..most).take_while(is_same).count()
    }

    /// The hooks of a sequence.
    fn hooks(&mut self, model: &TextModel, sequence: usize) -> &mut Hooks {
        let kind = self.of_sequence[sequence];
        if self.hooks.as_ref().is_none_or(|(of, _)| *of != kind) {
            let (edits, prompt) = &self.kinds[kind];
            self.hooks = Some((kind, Hooks::off().editing(fixed(model, prompt, edits.clone()))));
        }
        &mut self.hooks.as_mut().expect("they were just made").1
    }
}

/// Which positions of a prompt an edit is for.
#[derive(PartialEq, Eq, Hash)]
struct Reach {
    positions: Option<Vec<usize>>,
    keys: Option<Vec<usize>>,
}

impl Reach {
    fn of(edit: &SiteEdit) -> Self {
        let positions = match edit.change {
            Change::Swap(a, b) => Some(vec![a, b]),
            _ => edit.positions.clone(),
        };
        Self { positions, keys: edit.keys.clone() }
    }

    fn holds(&self, at: usize) -> [bool; 2] {
        [&self.positions, &self.keys].map(|list| list.as_ref().is_none_or(|list| list.contains(&at)))
    }
}

impl Continuations {
    /// To score sequences that fit in the context of a model, under edits placed in the prompt of each.
    ///
    /// # Errors
    /// When an edit names a site, head or position that is not there.
    pub(super) fn new(model: &TextModel, sequences: Vec<Sequence>, edits: &[Edit]) -> Result<Self, UserError> {
        let changes = Changes::new(model, &sequences, edits)?;
        let beginning = common_beginning(&sequences);
        let beginning = beginning[..changes.shared(beginning.len())].to_vec();
        let affordable = MULTIPLICATIONS / model.info.parameters.max(1);
        let tokens_a_step = usize::try_from(affordable).unwrap_or(usize::MAX).clamp(32, TREE);
        let state = model.lm.new_state();
        Ok(Self { beginning, state, sequences, changes, scores: Vec::new(), tokens_a_step })
    }

    /// True once everything is scored.
    pub(super) fn is_done(&self) -> bool {
        self.scores.len() == self.sequences.len()
    }

    /// Reads a stretch of the beginning, or scores the next sequences.
    ///
    /// # Errors
    /// When the scores are not numbers.
    pub(super) fn step(&mut self, model: &TextModel) -> Result<(), UserError> {
        let (read, first) = (self.state.len(), self.scores.len());
        let kind = self.changes.of_sequence.get(first).copied();
        if read < self.beginning.len() {
            let end = self.beginning.len().min(read + BEGINNING_CHUNK);
            let hooks = self.changes.hooks(model, first);
            let _ = model.lm.forward_cached(model.lm.ids(&self.beginning[read..end]), &mut self.state, hooks);
            return Ok(());
        }
        let mut branches = Branches::default();
        let most_scores = LOGITS / model.lm.vocabulary().max(1);
        for (place, sequence) in self.sequences.iter().enumerate().skip(first) {
            let is_alike = kind == self.changes.of_sequence.get(place).copied();
            if !is_alike || !branches.add(sequence, read, self.tokens_a_step, most_scores) {
                break;
            }
        }
        if first < self.sequences.len() {
            let hooks = self.changes.hooks(model, first);
            self.scores.extend(branches.scores(model, &mut self.state, hooks)?);
        }
        Ok(())
    }

    /// The scores so far, in the order of the sequences.
    pub(super) fn scores(&self) -> &[Scored] {
        &self.scores
    }

    /// One of the sequences.
    pub(super) fn sequence(&self, place: usize) -> &Sequence {
        &self.sequences[place]
    }
}

/// The tokens all sequences begin with, up to the last one before any that is scored.
fn common_beginning(sequences: &[Sequence]) -> &[u32] {
    let Some(first) = sequences.first() else { return &[] };
    let mut shared = first.ids.len();
    for Sequence { ids, scored } in sequences {
        shared = shared.min(ids.len() - scored - 1);
        shared = first.ids.iter().zip(&ids[..shared]).take_while(|(a, b)| a == b).count();
    }
    &first.ids[..shared]
}

/// Sequences joined to a tree after their common beginning.
#[derive(Default)]
struct Branches<'a> {
    tree: TokenTree,
    ids: Vec<u32>,
    /// The token that follows another one (or the beginning) with a given id.
    children: HashMap<(Option<usize>, u32), usize>,
    /// Tokens of the tree that predict a scored one.
    predicting: Vec<usize>,
    /// Of each sequence: itself, and for each of its scored tokens which of `predicting` predicts it.
    sequences: Vec<(&'a Sequence, Vec<usize>)>,
}

impl<'a> Branches<'a> {
    /// Adds a sequence whose first `read` tokens are read already. False, and nothing added, when the tree would have more
    /// than `most` tokens or predict more than `most_scores`; the first sequence is always taken.
    fn add(&mut self, sequence: &'a Sequence, read: usize, most: usize, most_scores: usize) -> bool {
        let after = &sequence.ids[read..sequence.read()];
        let (mut parent, mut known) = (None, 0);
        while let Some(&token) = after.get(known).and_then(|id| self.children.get(&(parent, *id))) {
            (parent, known) = (Some(token), known + 1);
        }
        let tokens = self.ids.len() + after.len() - known;
        let scores = self.predicting.len() + sequence.scored;
        if !self.sequences.is_empty() && (tokens > most || scores > most_scores) {
            return false;
        }
        for id in &after[known..] {
            let token = self.tree.push(parent);
            self.ids.push(*id);
            self.children.insert((parent, *id), token);
            parent = Some(token);
        }
        let mut way = Vec::with_capacity(after.len());
        let mut parent = None;
        for id in after {
            parent = self.children.get(&(parent, *id)).copied();
            way.extend(parent);
        }
        // A token is predicted by the one before it.
        let predicting = way[after.len() - sequence.scored..].iter().map(|token| self.row(*token)).collect();
        self.sequences.push((sequence, predicting));
        true
    }

    /// The place of a token among those that predict.
    fn row(&mut self, token: usize) -> usize {
        // Sequences with a predicting token in common mostly follow each other.
        self.predicting.iter().rposition(|known| *known == token).unwrap_or_else(|| {
            self.predicting.push(token);
            self.predicting.len() - 1
        })
    }

    /// What the model makes of every sequence, after the beginning that the state holds.
    fn scores(&self, model: &TextModel, state: &mut DecoderState, hooks: &mut Hooks) -> Result<Vec<Scored>, UserError> {
        let logits = model.lm.forward_tree(&self.ids, &self.tree, &self.predicting, state, hooks); // [N, V]
        let [_, v] = logits.dims();
        let data = logits.into_data();
        let logits = data.as_slice::<f32>().map_err(|error| unreadable(format!("{error:?}")))?;
        let rows: Vec<Row<'_>> = logits.chunks_exact(v).map(Row::new).collect();
        if rows.iter().any(|row| row.log_sum.is_nan()) {
            return Err(not_a_number(&model.info.name));
        }
        let scored = |(sequence, predicting): &(&Sequence, Vec<usize>)| {
            let of_token = |(id, row): (&u32, &usize)| (rows[*row].log_prob(*id), rows[*row].best);
            let (log_probs, best) = sequence.scored_ids().iter().zip(predicting).map(of_token).unzip();
            Scored { log_probs, best }
        };
        Ok(self.sequences.iter().map(scored).collect())
    }
}

/// The scores at one token.
struct Row<'a> {
    logits: &'a [f32],
    log_sum: f64,
    best: u32,
}

impl<'a> Row<'a> {
    fn new(logits: &'a [f32]) -> Self {
        Self { logits, log_sum: sample::log_sum_exp(logits), best: sample::most_likely(logits) }
    }

    fn log_prob(&self, id: u32) -> f64 {
        f64::from(self.logits[id as usize]) - self.log_sum
    }
}

fn not_a_number(name: &str) -> UserError {
    UserError::new(
        format!("{name} gave scores that are not numbers (NaN)."),
        "Its weights hold NaN or infinite values, or overflow on the way.",
        "Download the model again, or, if it was trained here, train with a lower learning rate.",
    )
}

#[cfg(test)]
#[path = "continuations_tests.rs"]
pub(super) mod tests;
