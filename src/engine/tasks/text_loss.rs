//! How well a causal model predicts text: the one place where training and measuring compute it.

use crate::nn::{CausalLm, Tape, cross_entropy};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Mean cross-entropy in nats, `[1]`, of predicting the last `scored` tokens of each sequence from those before them. The
/// sequences are equally long, and longer than `scored`.
pub(super) fn text_loss(net: &CausalLm, sequences: &[&[u32]], scored: usize, device: &Device) -> Tensor<1> {
    let (batch, length) = (sequences.len(), sequences[0].len() - 1);
    let ids = |range: std::ops::Range<usize>| -> Vec<i64> {
        sequences.iter().flat_map(|sequence| &sequence[range.clone()]).map(|&id| i64::from(id)).collect()
    };
    let input = Tensor::<2, Int>::from_data(TensorData::new(ids(0..length), [batch, length]), device);
    let targets = ids(length + 1 - scored..length + 1);
    let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, [batch * scored]), device);
    let logits = net.forward(input, &mut Tape::off()); // [B, T, V]
    let vocabulary = logits.dims()[2];
    let logits = logits.narrow(1, length - scored, scored).reshape([batch * scored, vocabulary]); // [B · S, V]
    cross_entropy(logits, targets)
}
