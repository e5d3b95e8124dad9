//! A small convolutional network that reads digits.
//!
//! Three 3×3 convolutions with ReLU, each followed by 2×2 max pooling (28 → 14 → 7 → 3), then two fully connected layers:
//! the plan of LeNet-5 (LeCun et al. 1998) with today's parts. No normalisation layers, so a feature map is exactly what its
//! kernel makes of the maps before it.

use crate::nn::hooks::Hooks;
use crate::nn::models::digit::{bias_tensor, kernel_tensor, kernel_weights};
use crate::nn::models::digit_mlp::Dense;
use crate::types::{DIGIT_SIDE, LayerWeights, Site};
use burn::module::{Module, Param};
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, activation::relu};

/// Side of every kernel in pixels.
const KERNEL: usize = 3;

/// Sizes of a [`DigitCnn`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitCnnConfig {
    /// Feature maps of each convolution.
    pub channels: Vec<usize>,
    /// Neurons of the fully connected hidden layer.
    pub hidden: usize,
    /// Number of classes.
    pub classes: usize,
}

impl Default for DigitCnnConfig {
    fn default() -> Self {
        Self { channels: vec![16, 32, 64], hidden: 96, classes: 10 }
    }
}

impl DigitCnnConfig {
    /// Side of the feature maps after the last pooling, in pixels; 0 when there are too many convolutions.
    #[must_use]
    pub fn final_side(&self) -> usize {
        self.channels.iter().fold(DIGIT_SIDE, |side, _| side / 2)
    }

    /// Name and weight shape of each layer: `conv1` ... as `[outputs, inputs, 3, 3]`, then `fc1` and `fc2` as
    /// `[outputs, inputs]`.
    #[must_use]
    pub fn layers(&self) -> Vec<(String, Vec<usize>)> {
        let mut layers = Vec::new();
        let mut inputs = 1;
        for (i, &outputs) in self.channels.iter().enumerate() {
            layers.push((format!("conv{}", i + 1), vec![outputs, inputs, KERNEL, KERNEL]));
            inputs = outputs;
        }
        let flat = inputs * self.final_side() * self.final_side();
        layers.push(("fc1".to_owned(), vec![self.hidden, flat]));
        layers.push(("fc2".to_owned(), vec![self.classes, self.hidden]));
        layers
    }
}

/// One 3×3 convolution that keeps the image's size.
#[derive(Module, Debug)]
struct Convolution {
    /// `[outputs, inputs, 3, 3]`
    weight: Param<Tensor<4>>,
    /// `[outputs]`
    bias: Param<Tensor<1>>,
}

/// The network.
#[derive(Module, Debug)]
pub struct DigitCnn {
    convolutions: Vec<Convolution>,
    hidden: Dense,
    output: Dense,
}

impl DigitCnn {
    /// The network with these weights, one entry a layer in the order of [`DigitCnnConfig::layers`].
    ///
    /// # Panics
    ///
    /// If there are fewer than two layers.
    #[must_use]
    pub fn new(weights: &[LayerWeights], device: &Device) -> Self {
        let [convolutions @ .., hidden, output] = weights else { panic!("a digit CNN has at least two layers") };
        let convolution =
            |layer| Convolution { weight: kernel_tensor(layer, device), bias: bias_tensor(layer, device) };
        Self {
            convolutions: convolutions.iter().map(convolution).collect(),
            hidden: Dense::new(hidden, device),
            output: Dense::new(output, device),
        }
    }

    /// What the output layer reads of images `[B, 784]`: the hidden layer after ReLU, `[B, hidden]`.
    pub(in crate::nn) fn features(&self, images: Tensor<2>, hooks: &mut Hooks) -> Tensor<2> {
        let [batch, _] = images.dims();
        let mut x = images.reshape([batch, 1, DIGIT_SIDE, DIGIT_SIDE]); // [B, 1, 28, 28]
        for (i, layer) in self.convolutions.iter().enumerate() {
            let same_size = ConvOptions::new([1, 1], [KERNEL / 2, KERNEL / 2], [1, 1], 1);
            x = conv2d(x, layer.weight.val(), Some(layer.bias.val()), same_size); // [B, channels, side, side]
            // ReLU and maximum commute; pooling first leaves a quarter of the values to rectify.
            if hooks.needs(Site::Layer(i)) {
                x = hooks.at(Site::Layer(i), relu(x));
                x = max_pool2d(x, MaxPoolOptions::new([2, 2])); // [B, channels, side / 2, side / 2]
            } else {
                x = relu(max_pool2d(x, MaxPoolOptions::new([2, 2]))); // [B, channels, side / 2, side / 2]
            }
        }
        let flat = x.reshape([batch as i64, -1]); // [B, channels * side * side]
        hooks.at(Site::Layer(self.convolutions.len()), relu(self.hidden.forward(flat))) // [B, hidden]
    }

    /// Class scores of such, `[B, hidden]` → `[B, classes]`.
    pub(in crate::nn) fn decide(&self, features: Tensor<2>) -> Tensor<2> {
        self.output.forward(features)
    }

    /// The names of the layers whose activation is a [`Site::Layer`].
    pub(in crate::nn) fn hidden_layers(&self) -> Vec<String> {
        (1..=self.convolutions.len()).map(|i| format!("conv{i}")).chain(["fc1".to_owned()]).collect()
    }

    /// The weights of every layer, read back from the device.
    #[must_use]
    pub fn layer_weights(&self) -> Vec<LayerWeights> {
        let mut weights: Vec<_> = self
            .convolutions
            .iter()
            .enumerate()
            .map(|(i, layer)| kernel_weights(format!("conv{}", i + 1), &layer.weight.val(), &layer.bias.val()))
            .collect();
        weights.push(self.hidden.weights("fc1".to_owned()));
        weights.push(self.output.weights("fc2".to_owned()));
        weights
    }
}
