//! Losses, gradients and training steps are PyTorch's.

use super::reference::{Difference, Reference};
use super::{FORWARD, MODELS, open};
use burn::module::{Module, ModuleMapper, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use fovea::load::save_text_model;
use fovea::nn::{CausalLm, Hooks};

/// Gradients go through twice as many operations as values.
const BACKWARD: f32 = 2e-5;

/// Mean cross-entropy of each token given those before it, as transformers computes it from `labels`.
fn loss(lm: &CausalLm, ids: &Tensor<2, Int>) -> Tensor<1> {
    let [b, t] = ids.dims();
    let logits = lm.forward(ids.clone(), &mut Hooks::off()); // [B, T, V]
    let [_, _, v] = logits.dims();
    let predictions = logits.narrow(1, 0, t - 1).reshape([b * (t - 1), v]);
    let targets = ids.clone().narrow(1, 1, t - 1).reshape([b * (t - 1)]);
    CrossEntropyLossConfig::new().init(&ids.device()).forward(predictions, targets)
}

fn batch(reference: &Reference, device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i32> = reference.ids("ids").iter().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(ids, [2, reference.sequence(0).len()]), device)
}

/// Puts each parameter's gradient in its place, so that the file format's own key map names the gradients.
struct GradientsAsWeights(Gradients);

impl ModuleMapper for GradientsAsWeights {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let gradient = param.val().grad_remove(&mut self.0).expect("every parameter takes part in the loss");
        Param::from_tensor(gradient)
    }
}

#[test]
fn loss_and_every_gradient_equal_pytorch() {
    let device = Device::flex().autodiff();
    for (name, _) in MODELS {
        let reference = Reference::read(name);
        let mut model = open(name, &device);
        let loss = loss(&model.lm, &batch(&reference, &device));
        let gradients = loss.backward();
        let value: f32 = loss.into_scalar();
        assert!((value - reference.values("loss")[0]).abs() < FORWARD, "{name}: loss {value}");

        model.lm = model.lm.map(&mut GradientsAsWeights(gradients));
        let dir = tempfile::tempdir().unwrap();
        save_text_model(&model, dir.path(), fovea::types::Precision::F32).unwrap();
        let gradients = Reference::open(&dir.path().join("model.safetensors"));
        let names = reference.gradient_names();
        assert_eq!(gradients.names(), names, "{name}: parameters");
        for parameter in names {
            let (ours, theirs) = (gradients.values(&parameter), reference.values(&format!("grad.{parameter}")));
            if let Some(difference) = Difference::beyond(ours, theirs, BACKWARD) {
                panic!("{name}: gradient of {parameter}: {difference}");
            }
        }
    }
}

#[test]
fn ten_adamw_steps_equal_pytorch() {
    let device = Device::flex().autodiff();
    for (name, _) in MODELS {
        let reference = Reference::read(name);
        let ids = batch(&reference, &device);
        let mut lm = open(name, &device).lm;
        let mut optimiser =
            AdamWConfig::new().with_beta_1(0.9).with_beta_2(0.999).with_epsilon(1e-8).with_weight_decay(0.01).init();
        for (step, expected) in reference.values("adamw_losses").iter().enumerate() {
            let loss = loss(&lm, &ids);
            let gradients = GradientsParams::from_grads(loss.backward(), &lm);
            lm = optimiser.step(0.01, lm, gradients);
            let value: f32 = loss.into_scalar();
            // Adam divides by the root of the squared gradient: where a gradient is nearly zero, its rounding decides
            // the direction of a whole step.
            assert!((value - expected).abs() < 1e-4 * expected, "{name}: step {step}: {value}, PyTorch has {expected}");
        }
    }
}
