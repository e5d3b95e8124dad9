//! Losses, gradients and optimiser steps are those of PyTorch and transformers (`tests/golden/make_pretraining.py`).

use super::blanks::{self, Blanked};
use super::contrastive::pair_scores;
use super::pairs::Pair;
use crate::load::{self, EncoderModel};
use crate::nn::{TextEncoder, cross_entropy, kernels};
use crate::train::optimiser::{Optimiser, StepRates};
use crate::train::trainable::parameters;
use crate::types::{Precision, TrainSpec};
use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Gradients go through twice as many operations as values, and are sums over hundreds of them.
const BACKWARD: f32 = 5e-5;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bert")
}

/// Every tensor of a file, as numbers.
fn tensors(path: &Path) -> BTreeMap<String, Vec<f32>> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let number = |tensor: &safetensors::tensor::TensorView<'_>, word: [u8; 4]| match tensor.dtype() {
        safetensors::Dtype::I32 => i32::from_le_bytes(word) as f32,
        _ => f32::from_le_bytes(word),
    };
    let read = file.iter().map(|(name, tensor)| {
        let (words, _) = tensor.data().as_chunks::<4>();
        (name.to_owned(), words.iter().map(|word| number(&tensor, *word)).collect())
    });
    read.collect()
}

/// Tokens of texts behind each other, apart.
fn apart(all: &[f32], lengths: &[f32]) -> Vec<Vec<u32>> {
    let mut rest = all.iter().map(|id| *id as u32);
    lengths.iter().map(|length| rest.by_ref().take(*length as usize).collect()).collect()
}

fn pairs_of<T: Copy>(values: &[f32], make: impl Fn(f32) -> T) -> Vec<Vec<T>> {
    values.chunks(2).map(|pair| pair.iter().map(|value| make(*value)).collect()).collect()
}

struct Golden {
    reference: BTreeMap<String, Vec<f32>>,
    blanked: Vec<Blanked>,
    pairs: Vec<Pair>,
}

impl Golden {
    fn read() -> Self {
        let reference = tensors(&golden().join("pretraining.safetensors"));
        let texts = apart(&reference["texts"], &reference["lengths"]);
        let ids = apart(&reference["blanked"], &reference["lengths"][..4]);
        let places = pairs_of(&reference["places"], |place| place as usize);
        let truth = pairs_of(&reference["truth"], |id| id as u32);
        let blanked =
            ids.into_iter().zip(places).zip(truth).map(|((ids, places), truth)| Blanked { ids, places, truth });
        let pairs = (0..3).map(|i| [texts[i].clone(), texts[i + 3].clone()]).collect();
        Self { blanked: blanked.collect(), reference, pairs }
    }

    fn loss(&self, name: &str, net: &TextEncoder, device: &Device) -> Tensor<1> {
        if name == "masked" {
            return blanks::loss(net, &self.blanked, 0, device);
        }
        let (scores, right) = pair_scores(net, &self.pairs, 0.05, 0, device);
        cross_entropy(scores, right)
    }
}

fn model() -> EncoderModel {
    load::open_encoder_model(&golden(), &Device::flex(), &mut |_, _| {}).unwrap()
}

/// Puts each parameter's gradient in its place, so that the file format's own names tell the gradients.
struct GradientsAsWeights(GradientsParams);

impl ModuleMapper for GradientsAsWeights {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let gradient = self.0.remove::<D>(param.id).unwrap_or_else(|| param.val().inner().zeros_like());
        Param::from_tensor(gradient)
    }
}

fn check(name: &str) {
    let (golden, device) = (Golden::read(), Device::flex().autodiff());
    let mut model = model();
    let net = model.encoder.clone().train();
    let loss = golden.loss(name, &net, &device);
    let gradients = GradientsParams::from_grads(loss.backward(), &net);
    let (value, expected) = (loss.into_scalar::<f32>(), golden.reference[&format!("{name}.loss")][0]);
    assert!((value - expected).abs() < 1e-5 * expected.max(1.0), "{name}: {value} instead of {expected}");

    model.encoder = net.map(&mut GradientsAsWeights(gradients));
    let dir = tempfile::tempdir().unwrap();
    load::save_encoder_model(&model, dir.path(), Precision::F32).unwrap();
    let ours = tensors(&dir.path().join("model.safetensors"));
    let mut compared = 0;
    for (path, theirs) in &golden.reference {
        let Some(path) = path.strip_prefix(&format!("{name}.grad.")) else { continue };
        let ours = &ours[path];
        assert_eq!(ours.len(), theirs.len(), "{path}");
        let largest = theirs.iter().fold(1.0_f32, |most, x| most.max(x.abs()));
        for (a, b) in ours.iter().zip(theirs) {
            assert!((a - b).abs() < BACKWARD * largest, "{name}: gradient of {path}: {a} instead of {b}");
        }
        compared += 1;
    }
    assert!(compared > 30, "{compared} gradients");
}

/// The losses of ten steps on one batch.
fn steps(name: &str) -> Vec<f32> {
    let (golden, device) = (Golden::read(), Device::flex().autodiff());
    let spec = "learning_rate = 0.01\nweight_decay = 0.01\nbatch_size = 2\nsteps = 10\n[task]\nkind = \"masked\"\ndata = []\ncontext = 8\n";
    let spec: TrainSpec = toml::from_str(spec).unwrap();
    let mut net = model().encoder.train();
    let mut optimiser = Optimiser::new(&spec, 0.999, parameters(&net, &[]).unwrap());
    let rates = StepRates { learning_rate: 0.01, of_groups: None, share: 1.0 };
    let step = |_| {
        let loss = golden.loss(name, &net, &device);
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        net = optimiser.step(net.clone(), gradients, rates, &[]);
        loss.into_scalar::<f32>()
    };
    (0..10).map(step).collect()
}

#[test]
fn losses_and_gradients_equal_pytorch() {
    for name in ["masked", "contrastive"] {
        check(name);
        kernels::without(|| check(name));
    }
}

#[test]
fn ten_steps_equal_pytorch() {
    for name in ["masked", "contrastive"] {
        let theirs = &Golden::read().reference[&format!("{name}.adamw")];
        for (place, (ours, theirs)) in steps(name).iter().zip(theirs).enumerate() {
            // AdamW's first steps divide by roots of squares that are nearly nothing, where rounding shows.
            assert!((ours - theirs).abs() < 2e-3 * theirs.max(1.0), "{name}, step {place}: {ours} instead of {theirs}");
        }
    }
}
