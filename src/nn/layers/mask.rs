//! What a query may not see: the future, tokens that a sliding window has left behind, padding.
//!
//! B batch, T new tokens, S tokens attended to (S ≥ T; the last T of them are the new ones), H heads.

use crate::nn::batch::padding::Padding;
use crate::nn::batch::tokens::{Places, Tokens};
use burn::tensor::{Bool, Device, Tensor, TensorData};

/// Which keys each query may see, made once a forward pass.
pub struct CausalMask {
    /// `[1 or B, 1, T, S]`: 0 where a query may look, the lowest finite number where not. `None` when every key may be
    /// seen.
    bias: Option<Tensor<4>>,
    /// True when it hides the future and nothing else.
    hides_only_future: bool,
}

impl CausalMask {
    /// For T new tokens after `past` older ones. With a window of W, a query sees itself and the W − 1 tokens before it;
    /// padding counts as tokens there, as it does in transformers.
    ///
    /// # Panics
    /// When there is padding after older tokens, or it is that of another batch.
    #[must_use]
    pub fn new(
        new_tokens: usize,
        past: usize,
        window: Option<usize>,
        padding: Option<&Padding>,
        device: &Device,
    ) -> Self {
        let (t, s) = (new_tokens, past + new_tokens);
        let window = window.filter(|window| *window < s);
        let hides_only_future = window.is_none() && padding.is_none();
        if t == 1 && hides_only_future {
            return Self { bias: None, hides_only_future };
        }
        let future = Tensor::<2, Bool>::tril_mask([t, s], past as i64, device);
        let hidden = match window {
            Some(window) => {
                let gone = Tensor::<2, Bool>::triu_mask([t, s], past as i64 + 1 - window as i64, device);
                future.bool_or(gone)
            }
            None => future,
        };
        let mut bias = Tensor::<2>::zeros([t, s], device).mask_fill(hidden, f32::MIN).reshape([1, 1, t, s]);
        if let Some(padding) = padding {
            let [b, length] = padding.shape();
            assert!(past == 0 && length == t, "padding of {length} tokens for {t} after {past}");
            let hidden = padding.hidden_keys(device).expand([b, 1, t, s]);
            bias = bias.expand([b, 1, t, s]).mask_fill(hidden, f32::MIN);
        }
        Self { bias: Some(bias), hides_only_future }
    }

    /// As [`Self::new`], for tokens that need not follow each other. A tree stands alone after its cache, `B` is 1.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub(in crate::nn) fn placed(tokens: &Tokens<'_>, window: Option<usize>, device: &Device) -> Self {
        let (new_tokens, past) = (tokens.new_tokens(), tokens.past());
        let tree = match tokens.places() {
            Some(Places::Tree(tree)) => tree,
            Some(Places::Padded(padding)) => return Self::new(new_tokens, past, window, Some(padding), device),
            None => return Self::new(new_tokens, past, window, None, device),
        };
        let shape = [1, 1, tree.len(), past + tree.len()];
        let hidden = Tensor::<4, Bool>::from_data(TensorData::new(tree.hidden(past, window), shape), device);
        let bias = Tensor::zeros(shape, device).mask_fill(hidden, f32::MIN);
        Self { bias: Some(bias), hides_only_future: false }
    }

    /// What has to be added to scores beside hiding the future, `[1 or B, 1, T, S]`.
    pub(in crate::nn) fn beyond_future(&self) -> Option<Tensor<4>> {
        self.bias.clone().filter(|_| !self.hides_only_future)
    }

    /// As [`Self::hide`] for the queries from `start` on and the keys up to their end, `[B, H, block, end]`.
    pub(in crate::nn) fn hide_block(&self, scores: Tensor<4>, start: usize) -> Tensor<4> {
        let [_, _, block, end] = scores.dims();
        match &self.bias {
            Some(bias) => scores + bias.clone().narrow(2, start, block).narrow(3, 0, end),
            None => scores,
        }
    }

    /// Adding the lowest finite number to any sane score gives that number, so this masks exactly. `[B, H, T, S]`.
    pub(in crate::nn) fn hide(&self, scores: Tensor<4>) -> Tensor<4> {
        match &self.bias {
            Some(bias) => scores + bias.clone(),
            None => scores,
        }
    }

    /// Hides what may not be seen in scores that were changed after [`Self::hide`], whatever stands there. `[B, H, T, S]`.
    pub(in crate::nn) fn hide_again(&self, scores: Tensor<4>) -> Tensor<4> {
        match &self.bias {
            Some(bias) => hide_again(scores, bias),
            None => scores,
        }
    }
}

/// The lowest finite number wherever a bias hides, in scores that may hold anything there.
pub(in crate::nn) fn hide_again(scores: Tensor<4>, bias: &Tensor<4>) -> Tensor<4> {
    let hidden = bias.clone().lower_elem(0.0).expand(scores.dims());
    scores.mask_fill(hidden, f32::MIN)
}

/// Which blocks of a model see only the last tokens, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlidingWindow {
    /// Tokens a query sees, itself among them.
    pub width: usize,
    /// One entry a block: true where the window holds.
    pub blocks: Vec<bool>,
}

/// The masks of all blocks in one forward pass.
pub(in crate::nn) struct BlockMasks<'a> {
    full: CausalMask,
    sliding: Option<(CausalMask, &'a SlidingWindow)>,
}

impl<'a> BlockMasks<'a> {
    /// For the tokens of a pass.
    pub(in crate::nn) fn new(tokens: &Tokens<'_>, sliding: Option<&'a SlidingWindow>, device: &Device) -> Self {
        let mask = |window| CausalMask::placed(tokens, window, device);
        // Up to the window's width both masks are the same.
        let sliding = sliding.filter(|sliding| sliding.width < tokens.past() + tokens.new_tokens());
        Self { full: mask(None), sliding: sliding.map(|sliding| (mask(Some(sliding.width)), sliding)) }
    }

    /// The mask of one block.
    pub(in crate::nn) fn of(&self, layer: usize) -> &CausalMask {
        match &self.sliding {
            Some((mask, sliding)) if sliding.blocks[layer] => mask,
            _ => &self.full,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of 1 where a query may look, 0 where not.
    fn seen(mask: &CausalMask) -> Vec<f32> {
        let bias = mask.bias.clone().unwrap();
        bias.into_data().iter::<f32>().map(|x| if x == 0.0 { 1.0 } else { 0.0 }).collect()
    }

    #[test]
    fn a_window_of_two_sees_the_token_and_the_one_before() {
        let device = Device::flex();
        let mask = CausalMask::new(2, 2, Some(2), None, &device);
        assert_eq!(seen(&mask), [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        let next = CausalMask::new(1, 3, Some(2), None, &device);
        assert_eq!(seen(&next), [0.0, 0.0, 1.0, 1.0]);
        assert!(CausalMask::new(1, 3, Some(4), None, &device).bias.is_none());
    }

    #[test]
    fn padding_is_never_seen() {
        let mask = CausalMask::new(2, 0, None, Some(&Padding::left(&[1, 2], 2)), &Device::flex());
        assert_eq!(seen(&mask), [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    }
}
