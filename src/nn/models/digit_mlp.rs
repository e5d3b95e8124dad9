//! A multilayer perceptron that reads digits: 784 → 16 → 16 → 10 with ReLU, or layers that a recipe chooses.
//!
//! Small enough that every neuron and every weight can be looked at.

use crate::nn::hooks::Hooks;
use crate::nn::layers::norm::LayerNorm;
use crate::nn::models::digit::{bias_tensor, matrix_tensor, matrix_weights, read_back};
use crate::types::{DIGIT_SIDE, DigitLayers, LayerWeights, Nonlinearity, Site};
use burn::module::{Module, Param};
use burn::tensor::module::linear;
use burn::tensor::{Device, Tensor};

/// Added to the variance that layers are normalised by, as in PyTorch.
const EPSILON: f64 = 1e-5;

/// Sizes of a [`DigitMlp`].
#[derive(Clone, Debug, PartialEq)]
pub struct DigitMlpConfig {
    /// Neurons of each hidden layer, and what these are made of.
    pub layers: DigitLayers,
    /// Number of classes.
    pub classes: usize,
}

impl Default for DigitMlpConfig {
    fn default() -> Self {
        Self { layers: DigitLayers::default(), classes: 10 }
    }
}

impl DigitMlpConfig {
    /// Name and weight shape `[outputs, inputs]` of each layer, from input to output: `fc1`, `fc2`, ...
    #[must_use]
    pub fn layers(&self) -> Vec<(String, Vec<usize>)> {
        let mut inputs = DIGIT_SIDE * DIGIT_SIDE;
        let outputs = self.layers.hidden.iter().chain(std::iter::once(&self.classes));
        let mut layers = Vec::new();
        for (i, &outputs) in outputs.enumerate() {
            layers.push((format!("fc{}", i + 1), vec![outputs, inputs]));
            inputs = outputs;
        }
        layers
    }

    /// Names of what normalises the hidden layers, and their widths: `norm1`, `norm2`, ...; none where nothing does.
    #[must_use]
    pub fn norms(&self) -> Vec<(String, usize)> {
        let named = (1..).zip(&self.layers.hidden).map(|(i, width)| (format!("norm{i}"), *width));
        if self.layers.norm { named.collect() } else { Vec::new() }
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
    /// Before the activation of each hidden layer, or none.
    norms: Vec<LayerNorm>,
    #[module(skip)]
    activation: Nonlinearity,
    dropout: f64,
    residual: bool,
}

impl DigitMlp {
    /// The network with these weights, one entry a layer in the order of [`DigitMlpConfig::layers`]. What normalises has learned nothing.
    #[must_use]
    pub fn new(config: &DigitMlpConfig, weights: &[LayerWeights], device: &Device) -> Self {
        let DigitLayers { activation, dropout, residual, .. } = config.layers;
        let norms = config.norms().into_iter().map(|(_, width)| LayerNorm::identity(width, EPSILON, device)).collect();
        let layers = weights.iter().map(|layer| Dense::new(layer, device)).collect();
        Self { layers, norms, activation, dropout, residual }
    }

    /// The same with gain and bias of what normalises each hidden layer.
    #[must_use]
    pub fn with_norms(mut self, values: &[[Vec<f32>; 2]], device: &Device) -> Self {
        for (norm, [gain, bias]) in self.norms.iter_mut().zip(values) {
            let [gain, bias] = [gain, bias].map(|values| Tensor::from_data(values.as_slice(), device));
            *norm = LayerNorm::new(gain, bias, EPSILON);
        }
        self
    }

    /// Gain and bias of what normalises each hidden layer, read back from the device.
    #[must_use]
    pub fn norms(&self) -> Vec<[Vec<f32>; 2]> {
        self.norms.iter().map(|norm| [read_back(&norm.gain.val()), read_back(&norm.bias.val())]).collect()
    }

    /// What the output layer reads of images `[B, 784]`: the last hidden layer, `[B, hidden]`; without one the images.
    pub(in crate::nn) fn features(&self, images: Tensor<2>, hooks: &mut Hooks) -> Tensor<2> {
        let mut x = images;
        for (i, layer) in self.layers.iter().take(self.layers.len() - 1).enumerate() {
            let mut made = layer.forward(x.clone());
            if let Some(norm) = self.norms.get(i) {
                made = norm.forward(made.unsqueeze_dim(1)).squeeze_dim(1);
            }
            let made = hooks.drop_out(self.dropout, self.activation.apply(made));
            x = hooks.at(Site::Layer(i), if self.residual && i > 0 { x + made } else { made });
        }
        x
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
