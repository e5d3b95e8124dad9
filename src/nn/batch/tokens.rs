//! Where the tokens of a pass stand.

use crate::nn::batch::padding::Padding;
use crate::nn::batch::tree::TokenTree;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// The new tokens of a pass, and how many came before them.
#[derive(Clone, Copy)]
pub(in crate::nn) struct Tokens<'a> {
    /// Sequences B and new tokens T in each.
    shape: [usize; 2],
    past: usize,
    places: Option<Places<'a>>,
}

/// Where tokens stand when they do not simply follow each other.
#[derive(Clone, Copy)]
pub(in crate::nn) enum Places<'a> {
    /// Sequences of different length.
    Padded(&'a Padding),
    /// Sequences that begin alike.
    Tree(&'a TokenTree),
}

impl<'a> Tokens<'a> {
    /// `[B, T]` tokens after `past` older ones.
    pub(in crate::nn) fn new(shape: [usize; 2], past: usize, places: Option<Places<'a>>) -> Self {
        Self { shape, past, places }
    }

    /// New tokens T in each sequence.
    pub(in crate::nn) fn new_tokens(&self) -> usize {
        self.shape[1]
    }

    /// Older tokens.
    pub(in crate::nn) fn past(&self) -> usize {
        self.past
    }

    /// Where they stand when they do not simply follow each other.
    pub(in crate::nn) fn places(&self) -> Option<Places<'a>> {
        self.places
    }

    /// The position behind the last one.
    pub(in crate::nn) fn end(&self) -> usize {
        self.past
            + match self.places {
                Some(Places::Tree(tree)) => tree.depth(),
                _ => self.new_tokens(),
            }
    }

    /// The position of each token in its own sequence, and the shape `[B, T]` they have.
    pub(in crate::nn) fn positions(&self) -> (Vec<usize>, [usize; 2]) {
        match self.places {
            Some(Places::Padded(padding)) => (padding.positions(), padding.shape()),
            Some(Places::Tree(tree)) => (tree.positions(self.past), [1, tree.len()]),
            None => {
                let [b, t] = self.shape;
                ((0..b).flat_map(|_| self.past..self.past + t).collect(), [b, t])
            }
        }
    }

    /// False for padding; tokens are counted row-major over `[B, T]`.
    pub(in crate::nn) fn is_real(&self, token: usize) -> bool {
        match self.places {
            Some(Places::Padded(padding)) => padding.is_real(token),
            _ => true,
        }
    }
}

/// Positions as a tensor of their shape `[B, T]`.
pub(in crate::nn) fn position_ids(positions: &[usize], shape: [usize; 2], device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i32> = positions.iter().map(|&p| p as i32).collect();
    Tensor::from_data(TensorData::new(ids, shape), device)
}
