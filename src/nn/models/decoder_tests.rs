//! A network without attention fits beside the transformers: a tiny recurrent one (Elman 1990), whose state is one vector
//! for each sequence, goes through the same passes.

use super::*;
use crate::nn::Change;
use crate::nn::hooks::SiteEdit;
use burn::tensor::Device;

const VOCABULARY: usize = 7;
const WIDTH: usize = 4;

/// h_t = tanh(x_t + h_{t−1} U), scores h_t Wᵀ with the embeddings W.
struct Recurrent {
    table: Tensor<2>,
    recurrence: Tensor<2>,
}

/// The last hidden vector `[B, D]`, and how many tokens led to it.
#[derive(Clone, Default)]
struct Memory {
    hidden: Option<Tensor<2>>,
    len: usize,
}

impl State for Memory {
    type Mark = Self;

    fn len(&self) -> usize {
        self.len
    }

    fn advance(&mut self, tokens: usize) {
        self.len += tokens;
    }

    fn mark(&self) -> Self {
        self.clone()
    }

    fn rewind(&mut self, mark: Self) {
        *self = mark;
    }
}

impl Decoder for Recurrent {
    type State = Memory;

    fn new_state(&self) -> Memory {
        Memory::default()
    }

    fn context(&self) -> usize {
        usize::MAX
    }

    fn embed(&self, ids: Tensor<2, Int>, pass: &mut Pass<'_, Memory>) -> Tensor<3> {
        pass.hooks.at(Site::Embed, crate::nn::layers::linear::embedding(self.table.clone(), ids))
    }

    fn blocks_from(&self, _: usize, x: Tensor<3>, pass: &mut Pass<'_, Memory>) -> Tensor<3> {
        let [b, t, d] = x.dims();
        let nothing = || Tensor::zeros([b, d], &x.device());
        let past = pass.state.as_ref().and_then(|state| state.hidden.clone()).unwrap_or_else(nothing);
        let mut hidden: Vec<Tensor<2>> = Vec::new();
        for token in 0..t {
            let before = match pass.tokens.places() {
                Some(Places::Tree(tree)) => tree.parent(token).map(|parent| hidden[parent].clone()),
                _ => hidden.last().cloned(),
            };
            let before = before.unwrap_or_else(|| past.clone());
            let input = x.clone().narrow(1, token, 1).squeeze_dim::<2>(1);
            hidden.push((input + before.matmul(self.recurrence.clone())).tanh());
        }
        if let Some(state) = &mut pass.state {
            state.hidden = hidden.last().cloned();
        }
        pass.hooks.at(Site::ResidPost(0), Tensor::stack(hidden, 1))
    }

    fn normalise(&self, x: Tensor<3>, _: &mut Hooks) -> Tensor<3> {
        x
    }

    fn unembed(&self, x: Tensor<3>, hooks: &mut Hooks) -> Tensor<3> {
        hooks.at(Site::Logits, crate::nn::Weight::from(self.table.clone()).project(x))
    }

    fn head_output(&self, _: usize, _: Tensor<4>) -> Tensor<4> {
        unreachable!("it has no heads")
    }

    fn sites(&self) -> Vec<Site> {
        vec![Site::Embed, Site::ResidPost(0), Site::Logits]
    }
}

fn net() -> Recurrent {
    let mut random = crate::nn::Random::new(4, 0);
    let mut matrix = |shape: [usize; 2]| {
        let values: Vec<f32> = (0..shape[0] * shape[1]).map(|_| random.normal()).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    };
    Recurrent { table: matrix([VOCABULARY, WIDTH]), recurrence: matrix([WIDTH, WIDTH]) }
}

fn ids(ids: &[i32]) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(ids.to_vec(), [1, ids.len()]), &Device::flex())
}

/// Scores after the last token of a sequence read whole.
fn alone(sequence: &[i32], hooks: &mut Hooks) -> Vec<f32> {
    net().logits(ids(sequence), None, None, Wanted::Last, hooks).into_data().iter().collect()
}

#[test]
fn a_network_without_a_key_value_cache_reads_in_pieces_and_as_a_tree() {
    let (net, mut state) = (net(), Memory::default());
    for piece in [[1, 2].as_slice(), &[3], &[4, 5]] {
        let _ = net.logits(ids(piece), None, Some(&mut state), Wanted::Last, &mut Hooks::off());
    }
    assert_eq!(State::len(&state), 5);
    // 6 – 0, and 3 after 6; 2 by itself.
    let mut tree = TokenTree::new();
    let six = tree.push(None);
    tree.push(Some(six));
    tree.push(Some(six));
    tree.push(None);
    let scores = net.tree(ids(&[6, 0, 3, 2]), &tree, &[0, 1, 2, 3], &mut state, &mut Hooks::off());
    let scores: Vec<f32> = scores.into_data().iter().collect();
    let sequences =
        [[1, 2, 3, 4, 5, 6].as_slice(), &[1, 2, 3, 4, 5, 6, 0], &[1, 2, 3, 4, 5, 6, 3], &[1, 2, 3, 4, 5, 2]];
    for (scores, sequence) in scores.chunks_exact(VOCABULARY).zip(sequences) {
        let expected = alone(sequence, &mut Hooks::off());
        // Products of one row and of several are summed in another order.
        let is_same = scores.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(is_same, "{sequence:?}: {scores:?} instead of {expected:?}");
    }
    let next: Vec<f32> =
        net.logits(ids(&[0]), None, Some(&mut state), Wanted::Last, &mut Hooks::off()).into_data().iter().collect();
    assert_eq!(next, alone(&[1, 2, 3, 4, 5, 0], &mut Hooks::off()), "the tree left no trace");
}

#[test]
fn edits_by_position_reach_it_in_pieces_as_they_do_whole() {
    let edit = SiteEdit { positions: Some(vec![2]), ..SiteEdit::whole(Site::Embed, Change::Zero) };
    let hooks = || Hooks::off().editing(vec![edit.clone()]);
    let (net, mut state, mut pieces) = (net(), Memory::default(), hooks());
    let mut last = Vec::new();
    for piece in [[1, 2].as_slice(), &[3, 4]] {
        let logits = net.logits(ids(piece), None, Some(&mut state), Wanted::Last, &mut pieces);
        last = logits.into_data().iter::<f32>().collect();
    }
    assert_eq!(last, alone(&[1, 2, 3, 4], &mut hooks()));
    assert_ne!(last, alone(&[1, 2, 3, 4], &mut Hooks::off()));
}
