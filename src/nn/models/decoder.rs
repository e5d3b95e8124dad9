//! What all decoders do in the same way: one pass over tokens, whole, behind a cache, as a tree, for all scores or some.
//!
//! B batch, T new tokens, D model width, H heads, K head width, V vocabulary.

use crate::nn::batch::padding::Padding;
use crate::nn::batch::tokens::{Places, Tokens};
use crate::nn::batch::tree::TokenTree;
use crate::nn::hooks::{Hooks, TokenRows};
use crate::types::Site;
use burn::tensor::{Int, Tensor, TensorData};

/// What a decoder remembers of the tokens it has read.
pub(in crate::nn) trait State {
    /// A place to go back to.
    type Mark;

    /// Tokens read so far.
    fn len(&self) -> usize;

    /// Counts the T tokens that every block has read.
    fn advance(&mut self, tokens: usize);

    /// Where the state is now.
    fn mark(&self) -> Self::Mark;

    /// Forgets everything after a mark.
    fn rewind(&mut self, mark: Self::Mark);
}

/// One pass on its way through the blocks.
pub(in crate::nn) struct Pass<'a, S> {
    /// Where its tokens stand.
    pub tokens: Tokens<'a>,
    /// What is remembered from pass to pass; `None` where nothing came before and nothing comes behind.
    pub state: Option<&'a mut S>,
    /// What is wanted of the values inside.
    pub hooks: &'a mut Hooks,
}

/// At which tokens scores are wanted.
#[derive(Clone, Copy)]
pub(in crate::nn) enum Wanted<'a> {
    /// At every one: `[B, T, V]`.
    All,
    /// At the last one of each sequence: `[B, 1, V]`.
    Last,
    /// At these of the B·T tokens, row-major: `[1, N, V]`.
    Some(&'a [usize]),
}

/// A decoder: what is its own, and what follows from that.
pub(in crate::nn) trait Decoder {
    /// What it remembers: keys and values, or whatever a network needs that has none.
    type State: State;

    /// Nothing remembered yet.
    fn new_state(&self) -> Self::State;

    /// Longest sequence in tokens.
    fn context(&self) -> usize;

    /// Tokens as they enter the residual stream: `[B, T]` → `[B, T, D]`.
    fn embed(&self, ids: Tensor<2, Int>, pass: &mut Pass<'_, Self::State>) -> Tensor<3>;

    /// The blocks from one on: `[B, T, D]` → `[B, T, D]`.
    fn blocks_from(&self, first: usize, x: Tensor<3>, pass: &mut Pass<'_, Self::State>) -> Tensor<3>;

    /// The last normalisation, `[B, T, D]` → `[B, T, D]`: what a head reads.
    fn normalise(&self, x: Tensor<3>, hooks: &mut Hooks) -> Tensor<3>;

    /// The scores that a value of the residual stream stands for: last normalisation, head and cap, `[B, T, D]` →
    /// `[B, T, V]`.
    fn unembed(&self, x: Tensor<3>, hooks: &mut Hooks) -> Tensor<3>;

    /// What each head of a block gives to the output of its attention, without the bias that all share: values weighted by
    /// attention `[B, H, T, K]` → `[B, H, T, D]`. Where a normalisation stands behind attention, this is before it.
    fn head_output(&self, layer: usize, z: Tensor<4>) -> Tensor<4>;

    /// The sites it has, in the order a pass meets them.
    fn sites(&self) -> Vec<Site>;

    /// The residual stream behind the last block: `[B, T]` → `[B, T, D]`. The state remembers the tokens.
    ///
    /// # Panics
    /// When remembered and new tokens exceed the context.
    fn residual(
        &self,
        ids: Tensor<2, Int>,
        places: Option<Places<'_>>,
        state: Option<&mut Self::State>,
        hooks: &mut Hooks,
    ) -> Tensor<3> {
        let tokens = Tokens::new(ids.dims(), state.as_ref().map_or(0, |state| state.len()), places);
        let (end, context) = (tokens.end(), self.context());
        assert!(end <= context, "{end} tokens do not fit in a context of {context}");
        hooks.begin(|| tokens.rows());
        let mut pass = Pass { tokens, state, hooks };
        let x = self.embed(ids, &mut pass);
        let x = self.blocks_from(0, x, &mut pass);
        if let Some(state) = pass.state {
            state.advance(tokens.new_tokens());
        }
        x
    }

    /// As [`Self::residual`], for B whole sequences that enter block `first` with the stream `x`, `[1 or B, T, D]`. What they have in
    /// common is computed once, up to the first change that tells them apart.
    fn resume(&self, first: usize, x: Tensor<3>, batch: usize, hooks: &mut Hooks) -> Tensor<3> {
        let [_, t, _] = x.dims();
        let tokens = Tokens::new([batch, t], 0, None);
        hooks.begin(|| tokens.rows());
        self.blocks_from(first, x, &mut Pass { tokens, state: None, hooks })
    }

    /// Next-token scores at the wanted tokens.
    ///
    /// # Panics
    /// As [`Self::residual`].
    fn logits(
        &self,
        ids: Tensor<2, Int>,
        places: Option<Places<'_>>,
        state: Option<&mut Self::State>,
        wanted: Wanted<'_>,
        hooks: &mut Hooks,
    ) -> Tensor<3> {
        let x = self.residual(ids, places, state, hooks);
        let [b, t, _] = x.dims();
        let x = match wanted {
            Wanted::All => x,
            Wanted::Last => {
                hooks.go_on_with(|| (1..=b).map(|row| row * t - 1).collect(), b);
                x.narrow(1, t - 1, 1) // [B, 1, D]
            }
            Wanted::Some(rows) => {
                hooks.go_on_with(|| rows.to_vec(), 1);
                let places: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
                let places = Tensor::from_data(TensorData::new(places, [rows.len()]), &x.device());
                x.flatten::<2>(0, 1).select(0, places).unsqueeze() // [1, N, D]
            }
        };
        self.unembed(x, hooks)
    }

    /// A pass for the sake of its hooks alone: blocks and scores that nobody wants are not computed.
    fn trace(&self, ids: Tensor<2, Int>, hooks: &mut Hooks) {
        hooks.alone(|hooks| {
            let x = self.residual(ids, None, None, hooks);
            if hooks.needs_output() {
                let _ = self.unembed(x, hooks);
            }
        });
    }

    /// Scores at the wanted tokens of a tree behind what the state remembers, `[1, N, V]`. The state stays as it is.
    fn tree(
        &self,
        ids: Tensor<2, Int>,
        tree: &TokenTree,
        wanted: &[usize],
        state: &mut Self::State,
        hooks: &mut Hooks,
    ) -> Tensor<3> {
        let mark = state.mark();
        let logits = self.logits(ids, Some(Places::Tree(tree)), Some(state), Wanted::Some(wanted), hooks);
        state.rewind(mark);
        logits
    }

    /// Scores at every position of sequences of different length, `[B, T, V]`.
    fn padded(&self, ids: Tensor<2, Int>, padding: &Padding, hooks: &mut Hooks) -> Tensor<3> {
        self.logits(ids, Some(Places::Padded(padding)), None, Wanted::All, hooks)
    }
}

impl Tokens<'_> {
    fn rows(&self) -> TokenRows {
        let (positions, shape) = self.positions();
        TokenRows::new(&positions, shape, self.past(), |token| self.is_real(token))
    }
}

#[cfg(test)]
#[path = "decoder_tests.rs"]
mod tests;
