//! A multilayer perceptron that reads digits: 784 → 16 → 16 → 10 with ReLU.
//!
//! Small enough that every neuron and every weight can be looked at.

use crate::nn::hooks::Hooks;
use crate::nn::models::digit::{bias_tensor, matrix_tensor, matrix_weights};
use crate::types::{DIGIT_SIDE, LayerWeights, Site};
use burn::module::{Module, Param};
use burn::tensor::module::linear;
use burn::tensor::{Device, Tensor, activation::relu};

/// Sizes of a [`DigitMlp`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitMlpConfig {
    /// Neurons of each hidden layer.
    pub hidden: Vec<usize>,
    /// Number of classes.
    pub classes: usize,
}

impl Default for DigitMlpConfig {
    fn default() -> Self {
        Self { hidden: vec![16, 16], classes: 10 }
    }
}

impl DigitMlpConfig {
    /// Name and weight shape `[outputs, inputs]` of each layer, from input to output: `fc1`, `fc2`, ...
    #[must_use]
    pub fn layers(&self) -> Vec<(String, Vec<usize>)> {
        let mut inputs = DIGIT_SIDE * DIGIT_SIDE;
        let outputs = self.hidden.iter().chain(std::iter::once(&self.classes));
        let mut layers = Vec::new();
        for (i, &outputs) in outputs.enumerate() {
            layers.push((format!("fc{}", i + 1), vec![outputs, inputs]));
            inputs = outputs;
        }
        layers
    }
}

/// One fully connected layer.
#[derive(Module, Debug)]
pub(in crate::nn) struct Dense {
    /// `[inputs, outputs]`, the transpose of the file's layout.
    weight: Param<Tensor<2>>,
    /// `[outputs]`
    bias: Param<Tensor<1>>,
}

impl Dense {
    pub(in crate::nn) fn new(weights: &LayerWeights, device: &Device) -> Self {
        Self { weight: matrix_tensor(weights, device), bias: bias_tensor(weights, device) }
    }

    /// `[B, inputs]` to `[B, outputs]`.
    pub(in crate::nn) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        linear(x, self.weight.val(), Some(self.bias.val()))
    }

    pub(in crate::nn) fn weights(&self, name: String) -> LayerWeights {
        matrix_weights(name, &self.weight.val(), &self.bias.val())
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct DigitMlp {
    layers: Vec<Dense>,
}

impl DigitMlp {
    /// The network with these weights, one entry a layer in the order of [`DigitMlpConfig::layers`].
    #[must_use]
    pub fn new(weights: &[LayerWeights], device: &Device) -> Self {
        Self { layers: weights.iter().map(|layer| Dense::new(layer, device)).collect() }
    }

    /// What the output layer reads of images `[B, 784]`: the last hidden layer after ReLU, `[B, hidden]`; without one the images.
    pub(in crate::nn) fn features(&self, images: Tensor<2>, hooks: &mut Hooks) -> Tensor<2> {
        let hidden = self.layers.iter().take(self.layers.len() - 1).enumerate();
        hidden.fold(images, |x, (i, layer)| hooks.at(Site::Layer(i), relu(layer.forward(x))))
    }

    /// Class scores of such, `[B, hidden]` → `[B, classes]`.
    pub(in crate::nn) fn decide(&self, features: Tensor<2>) -> Tensor<2> {
        self.layers[self.layers.len() - 1].forward(features)
    }

    /// The names of the layers whose activation is a [`Site::Layer`].
    pub(in crate::nn) fn hidden_layers(&self) -> Vec<String> {
        (1..self.layers.len()).map(|i| format!("fc{i}")).collect()
    }

    /// The weights of every layer, read back from the device.
    #[must_use]
    pub fn layer_weights(&self) -> Vec<LayerWeights> {
        self.layers.iter().enumerate().map(|(i, layer)| layer.weights(format!("fc{}", i + 1))).collect()
    }
}
