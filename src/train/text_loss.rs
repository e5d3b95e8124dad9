//! How well a causal model predicts text: the one place where training and measuring compute it.

use crate::nn::{CausalLm, Hooks, Random, cross_entropy};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Mean cross-entropy in nats, `[1]`, of predicting the last `scored` tokens of each sequence from those before them. The
/// sequences are equally long, and longer than `scored`.
pub(crate) fn text_loss(net: &CausalLm, sequences: &[&[u32]], scored: usize, device: &Device) -> Tensor<1> {
    let unscored = sequences[0].len() - 1 - scored;
    if let Some(mean) = mean_cost(net, sequences, unscored) {
        return Tensor::from_data([mean], device);
    }
    let chosen: Vec<bool> = (0..unscored + scored).map(|t| t >= unscored).collect();
    chosen_loss(net, sequences, &vec![chosen; sequences.len()], &mut Hooks::off(), device)
}

/// The same of a network that learns: what it drops out is drawn from `random`.
pub(crate) fn learning_loss(
    net: &CausalLm,
    sequences: &[&[u32]],
    scored: usize,
    random: Random,
    device: &Device,
) -> Tensor<1> {
    let unscored = sequences[0].len() - 1 - scored;
    let chosen: Vec<bool> = (0..unscored + scored).map(|t| t >= unscored).collect();
    chosen_loss(net, sequences, &vec![chosen; sequences.len()], &mut Hooks::off().learning(random), device)
}

/// The same where costs are computed without scores being kept.
fn mean_cost(net: &CausalLm, sequences: &[&[u32]], unscored: usize) -> Option<f32> {
    let (mut sum, mut count) = (0.0, 0);
    for sequence in sequences {
        let last = sequence.len() - 1;
        let places: Vec<usize> = (unscored..last).collect();
        let costs = net.costs_at(&sequence[..last], &places, &sequence[unscored + 1..])?;
        sum += costs.iter().map(|cost| f64::from(*cost)).sum::<f64>();
        count += costs.len();
    }
    Some((sum / count as f64) as f32)
}

/// Cross-entropies in nats of predicting some tokens of a sequence, each by itself: `chosen[t]` says whether token t + 1 is predicted
/// from those before it.
///
/// # Errors
/// What the device says when it cannot give them back.
///
/// # Panics
/// When no token is chosen, or the lengths do not fit.
pub(crate) fn token_costs(
    net: &CausalLm,
    sequence: &[u32],
    chosen: &[bool],
    device: &Device,
) -> Result<Vec<f32>, String> {
    let last = sequence.len() - 1;
    let places: Vec<usize> = (0..last).filter(|t| chosen[*t]).collect();
    let targets: Vec<u32> = places.iter().map(|t| sequence[t + 1]).collect();
    if let Some(costs) = net.costs_at(&sequence[..last], &places, &targets) {
        return Ok(costs);
    }
    let Chosen { logits, targets } = chosen_logits(net, &[sequence], &[chosen.to_vec()], &mut Hooks::off(), device);
    let costs = log_softmax(logits, 1).gather(1, targets.unsqueeze_dim(1)).neg(); // [M, 1]
    costs.try_to_vec_as::<f32>().map_err(|error| format!("{error:?}"))
}

/// Mean cross-entropy in nats, `[1]`, of predicting some tokens: `chosen[i][t]` says whether token t + 1 of sequence i is
/// predicted from those before it. The sequences have T + 1 tokens each, `chosen` T entries. What the others would cost is
/// not computed, so a batch may be filled up behind its sequences with any token.
///
/// # Panics
/// When no token is chosen, or the lengths do not fit.
pub(crate) fn chosen_loss(
    net: &CausalLm,
    sequences: &[&[u32]],
    chosen: &[Vec<bool>],
    hooks: &mut Hooks,
    device: &Device,
) -> Tensor<1> {
    let Chosen { logits, targets } = chosen_logits(net, sequences, chosen, hooks, device);
    cross_entropy(logits, targets)
}

/// Scores at chosen positions, and what is right there.
pub(crate) struct Chosen {
    /// `[M, V]`.
    pub logits: Tensor<2>,
    /// `[M]`.
    pub targets: Tensor<1, Int>,
}

/// What [`chosen_loss`] compares.
///
/// # Panics
/// As [`chosen_loss`].
pub(crate) fn chosen_logits(
    net: &CausalLm,
    sequences: &[&[u32]],
    chosen: &[Vec<bool>],
    hooks: &mut Hooks,
    device: &Device,
) -> Chosen {
    let (batch, length) = (sequences.len(), sequences[0].len() - 1);
    assert!(chosen.len() == batch && chosen.iter().all(|chosen| chosen.len() == length), "one choice a target");
    let (mut ids, mut rows, mut targets) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (sequence, chosen)) in sequences.iter().zip(chosen).enumerate() {
        assert_eq!(sequence.len(), length + 1, "equally long sequences");
        ids.extend(sequence[..length].iter().map(|&id| i64::from(id)));
        for t in (0..length).filter(|&t| chosen[t]) {
            rows.push(i * length + t);
            targets.push(i64::from(sequence[t + 1]));
        }
    }
    let count = targets.len();
    assert!(count > 0, "no token to predict");
    let list = |values| Tensor::<1, Int>::from_data(TensorData::new(values, [count]), device);
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [batch, length]), device);
    let logits = match count == batch * length {
        true => net.forward(ids, hooks).flatten(0, 1), // [B · T, V]
        false => net.logits_at(ids, &rows, hooks),     // [M, V]
    };
    Chosen { logits, targets: list(targets) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{
        Activation, Gemma2Config, Gpt2Config, GptNeoxConfig, LlamaConfig, LlamaFamily, SlidingWindow, TextConfig,
    };
    use burn::module::{Module, ModuleVisitor, Param};
    use burn::optim::GradientsParams;

    /// A small model of every architecture.
    fn configs() -> [TextConfig; 4] {
        let (vocabulary, context, hidden, layers, heads, intermediate, epsilon) = (29, 16, 8, 2, 2, 12, 1e-5);
        let sliding = Some(SlidingWindow { width: 3, blocks: vec![true, false] });
        [
            TextConfig::Gpt2(Gpt2Config {
                vocabulary,
                context,
                hidden,
                layers,
                heads,
                intermediate,
                epsilon,
                tied: true,
            }),
            TextConfig::GptNeox(GptNeoxConfig {
                vocabulary,
                context,
                hidden,
                layers,
                heads,
                intermediate,
                epsilon,
                rotary_width: 2,
                rope_theta: 100.0,
                rope_scaling: None,
                parallel_residual: true,
                attention_bias: true,
                activation: Activation::Gelu,
                tied: false,
            }),
            TextConfig::Llama(LlamaConfig {
                family: LlamaFamily::Llama,
                vocabulary,
                context,
                hidden,
                layers,
                heads,
                kv_heads: 1,
                head_dim: 4,
                intermediate,
                epsilon,
                rope_theta: 100.0,
                rope_scaling: None,
                qkv_bias: false,
                attn_out_bias: false,
                head_norm: false,
                sliding: None,
                mlp_bias: false,
                tied: true,
            }),
            TextConfig::Gemma2(Gemma2Config {
                vocabulary,
                context,
                hidden,
                layers,
                heads,
                kv_heads: 1,
                head_dim: 4,
                intermediate,
                epsilon,
                rope_theta: 100.0,
                rope_scaling: None,
                query_pre_attn_scalar: 4.0,
                attention_softcap: Some(5.0),
                logit_softcap: Some(3.0),
                sliding,
                attention_bias: false,
                tied: true,
            }),
        ]
    }

    /// Every gradient, flat, in visiting order.
    fn gradients(net: &CausalLm, loss: &Tensor<1>) -> Vec<f32> {
        struct Reading(GradientsParams, Vec<f32>);
        impl ModuleVisitor for Reading {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let gradient = self.0.get::<D>(param.id).expect("every weight takes part");
                self.1.extend(gradient.into_data().iter::<f32>());
            }
        }
        let mut reading = Reading(GradientsParams::from_grads(loss.backward(), net), Vec::new());
        net.visit(&mut reading);
        reading.1
    }

    #[test]
    fn chosen_positions_cost_what_they_do_in_the_full_computation() {
        let plain = Device::flex();
        let device = plain.clone().autodiff();
        let sequences: [&[u32]; 2] = [&[3, 1, 4, 1, 5, 9, 2], &[6, 5, 3, 5, 8, 9, 7]];
        let chosen = [vec![false, true, true, false, false, true], vec![false, false, false, false, true, false]];
        for config in configs() {
            plain.seed(4);
            let net = config.init(&plain).train();
            let loss = chosen_loss(&net, &sequences, &chosen, &mut Hooks::off(), &device);
            // In full: the log-probability of every target, times 1 where it is chosen.
            let ids: Vec<i32> = sequences.iter().flat_map(|s| &s[..6]).map(|&id| id as i32).collect();
            let targets: Vec<i32> = sequences.iter().flat_map(|s| &s[1..]).map(|&id| id as i32).collect();
            let weights: Vec<f32> = chosen.concat().into_iter().map(|chosen| f32::from(u8::from(chosen))).collect();
            let logits = net.forward(Tensor::from_data(TensorData::new(ids, [2, 6]), &device), &mut Hooks::off());
            let targets = Tensor::<3, Int>::from_data(TensorData::new(targets, [2, 6, 1]), &device);
            let costs = log_softmax(logits, 2).gather(2, targets).neg();
            let full = (costs * Tensor::from_data(TensorData::new(weights, [2, 6, 1]), &device)).sum() / 4.0;

            let architecture = config.architecture();
            let (ours, expected) = (loss.clone().into_scalar::<f32>(), full.clone().into_scalar::<f32>());
            assert!((ours - expected).abs() < 1e-5, "{architecture:?}: {ours} instead of {expected}");
            let (ours, expected) = (gradients(&net, &loss), gradients(&net, &full));
            assert!(expected.iter().any(|g| g.abs() > 1e-2), "{architecture:?}: gradients too small to compare");
            for (ours, expected) in ours.iter().zip(&expected) {
                // Sums of a few dozen products in another order.
                assert!((ours - expected).abs() < 1e-6, "{architecture:?}: {ours} instead of {expected}");
            }
        }
    }

    #[test]
    fn tokens_cost_by_themselves_what_they_cost_together() {
        let device = Device::flex();
        let sequence: &[u32] = &[3, 1, 4, 1, 5, 9, 2];
        let chosen = [true, false, true, true, false, true];
        for config in configs() {
            device.seed(4);
            let net = config.init(&device);
            let costs = token_costs(&net, sequence, &chosen, &device).unwrap();
            let (hooks, wanted) = (&mut Hooks::off(), [chosen.to_vec()]);
            let mean = chosen_loss(&net, &[sequence], &wanted, hooks, &device).into_scalar::<f32>();
            assert_eq!(costs.len(), 4);
            assert!((costs.iter().sum::<f32>() / 4.0 - mean).abs() < 1e-5, "{:?}", config.architecture());
            // One by one, and without our kernels.
            let Chosen { logits, targets } =
                chosen_logits(&net, &[sequence], &[chosen.to_vec()], &mut Hooks::off(), &device);
            let all = log_softmax(logits, 1).gather(1, targets.unsqueeze_dim(1)).neg();
            let all = all.try_to_vec_as::<f32>().unwrap();
            assert!(costs.iter().zip(&all).all(|(a, b)| (a - b).abs() < 1e-5), "{costs:?} {all:?}");
        }
    }

    #[test]
    fn the_last_tokens_are_scored_alone() {
        let device = Device::flex();
        device.seed(4);
        let sequences: [&[u32]; 2] = [&[3, 1, 4, 1, 5], &[6, 5, 3, 5, 8]];
        let net = configs()[2].init(&device);
        let of = |chosen: [bool; 4]| {
            let wanted = [chosen.to_vec(), chosen.to_vec()];
            chosen_loss(&net, &sequences, &wanted, &mut Hooks::off(), &device)
        };
        let (first, last) = (of([true, true, false, false]), of([false, false, true, true]));
        let scored = text_loss(&net, &sequences, 2, &device).into_scalar::<f32>();
        let all = text_loss(&net, &sequences, 4, &device).into_scalar::<f32>();
        let (first, last) = (first.into_scalar::<f32>(), last.into_scalar::<f32>());
        assert_eq!(scored, last);
        assert!((all - f32::midpoint(first, last)).abs() < 1e-6 && first != last);
    }
}
