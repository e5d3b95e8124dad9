//! One face for all digit networks: images in, class scores and activations out.
//!
//! Weights cross this boundary as [`LayerWeights`], in the file's layout, whichever network they belong to: that is what is
//! loaded, saved and drawn.

use crate::nn::hooks::Hooks;
use crate::nn::models::digit_cnn::{DigitCnn, DigitCnnConfig};
use crate::nn::models::digit_mlp::{DigitMlp, DigitMlpConfig};
use crate::types::Random;
use crate::types::{Architecture, DIGIT_SIDE, DigitLayers, DigitNetwork, LayerActivation, LayerWeights, Site};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

/// Which digit network, and its sizes.
#[derive(Clone, Debug, PartialEq)]
pub enum DigitConfig {
    /// Multilayer perceptron.
    Mlp(DigitMlpConfig),
    /// Convolutional network.
    Cnn(DigitCnnConfig),
}

impl DigitConfig {
    /// The sizes a new network of this kind has.
    #[must_use]
    pub fn of(network: DigitNetwork) -> Self {
        match network {
            DigitNetwork::Mlp => Self::Mlp(DigitMlpConfig::default()),
            DigitNetwork::Cnn => Self::Cnn(DigitCnnConfig::default()),
        }
    }

    /// The perceptron of a recipe's layers.
    #[must_use]
    pub fn perceptron(layers: DigitLayers) -> Self {
        Self::Mlp(DigitMlpConfig { layers, ..DigitMlpConfig::default() })
    }

    /// Names and widths of what normalises hidden layers; most networks have none.
    #[must_use]
    pub fn norms(&self) -> Vec<(String, usize)> {
        match self {
            Self::Mlp(config) => config.norms(),
            Self::Cnn(_) => Vec::new(),
        }
    }

    /// The architecture's name in files.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        match self {
            Self::Mlp(_) => Architecture::DigitMlp,
            Self::Cnn(_) => Architecture::DigitCnn,
        }
    }

    /// Name and weight shape of each layer from input to output; a bias has one value an output.
    #[must_use]
    pub fn layers(&self) -> Vec<(String, Vec<usize>)> {
        match self {
            Self::Mlp(config) => config.layers(),
            Self::Cnn(config) => config.layers(),
        }
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        match self {
            Self::Mlp(config) => config.classes,
            Self::Cnn(config) => config.classes,
        }
    }

    /// Number of weights and biases.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let of_layers: u64 =
            self.layers().iter().map(|(_, shape)| (shape.iter().product::<usize>() + shape[0]) as u64).sum();
        of_layers + self.norms().iter().map(|(_, width)| 2 * *width as u64).sum::<u64>()
    }

    /// The same with another number of classes.
    #[must_use]
    pub fn with_classes(&self, classes: usize) -> Self {
        match self.clone() {
            Self::Mlp(config) => Self::Mlp(DigitMlpConfig { classes, ..config }),
            Self::Cnn(config) => Self::Cnn(DigitCnnConfig { classes, ..config }),
        }
    }

    /// Multiplications of one image with weights, each with an addition. A matrix is used once, a kernel once for each pixel of its map.
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        let mut side = DIGIT_SIDE;
        let of_layer = |(_, shape): (String, Vec<usize>)| {
            let weights: usize = shape.iter().product();
            let uses = if shape.len() == 4 { side * side } else { 1 };
            if shape.len() == 4 {
                side /= 2; // Each convolution keeps the side, and pooling behind it halves it.
            }
            (weights * uses) as u64
        };
        self.layers().into_iter().map(of_layer).sum()
    }

    /// What the paths of the output layer's parameters begin with.
    #[must_use]
    pub fn output_path(&self) -> String {
        match self {
            Self::Mlp(config) => format!("layers.{}.", config.layers.hidden.len()),
            Self::Cnn(_) => "output.".to_owned(),
        }
    }

    /// A network with random weights: normal with variance 2 / inputs (He et al. 2015), biases zero.
    #[must_use]
    pub fn init(&self, seed: u64, device: &Device) -> DigitNet {
        let weights: Vec<LayerWeights> = (self.layers().into_iter().enumerate())
            .map(|(i, (name, shape))| {
                let mut random = Random::new(seed, i as u64);
                let inputs: usize = shape[1..].iter().product();
                let deviation = (2.0 / inputs as f32).sqrt();
                let values = (0..shape[0] * inputs).map(|_| deviation * random.normal()).collect();
                LayerWeights { name, bias: vec![0.0; shape[0]].into(), shape, values }
            })
            .collect();
        self.with_weights(&weights, device)
    }

    /// A network with these weights, one entry a layer in the order of [`Self::layers`].
    ///
    /// # Panics
    ///
    /// If a shape is another than [`Self::layers`] says.
    #[must_use]
    pub fn with_weights(&self, weights: &[LayerWeights], device: &Device) -> DigitNet {
        for ((name, shape), layer) in self.layers().iter().zip(weights) {
            assert_eq!((name, shape), (&layer.name, &layer.shape), "weights of another network");
        }
        match self {
            Self::Mlp(config) => DigitNet::Mlp(DigitMlp::new(config, weights, device)),
            Self::Cnn(_) => DigitNet::Cnn(DigitCnn::new(weights, device)),
        }
    }
}

/// A digit network.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // There is one at a time.
pub enum DigitNet {
    /// Multilayer perceptron.
    Mlp(DigitMlp),
    /// Convolutional network.
    Cnn(DigitCnn),
}

impl DigitNet {
    /// Class scores (logits) `[B, classes]` of images `[B, 784]`, intensities in `0..=1`, ink is 1.
    ///
    /// # Panics
    ///
    /// If the images do not have 784 values each.
    #[must_use]
    pub fn forward(&self, images: Tensor<2>, hooks: &mut Hooks) -> Tensor<2> {
        assert_eq!(images.dims()[1], DIGIT_SIDE * DIGIT_SIDE, "a digit image has 784 values");
        let features = self.features(images, hooks);
        hooks.at(Site::Logits, self.decide(features))
    }

    /// What the output layer reads: the last hidden layer, after ReLU, `[B, 784]` → `[B, hidden]`.
    #[must_use]
    pub fn features(&self, images: Tensor<2>, hooks: &mut Hooks) -> Tensor<2> {
        match self {
            Self::Mlp(net) => net.features(images, hooks),
            Self::Cnn(net) => net.features(images, hooks),
        }
    }

    /// Class scores of such features, `[B, hidden]` → `[B, classes]`.
    #[must_use]
    pub fn decide(&self, features: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Mlp(net) => net.decide(features),
            Self::Cnn(net) => net.decide(features),
        }
    }

    /// Class scores of one image `[1, 784]`, and every hidden layer's activation read back from the device.
    ///
    /// # Panics
    ///
    /// If there is more than one image.
    #[must_use]
    pub fn forward_with_activations(&self, image: Tensor<2>) -> (Tensor<2>, Vec<LayerActivation>) {
        assert_eq!(image.dims()[0], 1, "activations are shown for one image at a time");
        let names = match self {
            Self::Mlp(net) => net.hidden_layers(),
            Self::Cnn(net) => net.hidden_layers(),
        };
        let sites = (0..names.len()).map(Site::Layer).collect();
        let mut hooks = Hooks::off().recording(sites, None);
        let logits = self.forward(image, &mut hooks);
        let (captures, _) = hooks.into_captures();
        let layers = names.into_iter().zip(captures).map(|(name, capture)| match *capture.shape.as_slice() {
            [channels, height, width] => {
                LayerActivation::Maps { name, channels, height, width, values: capture.values.to_vec().into() }
            }
            _ => LayerActivation::Units { name, values: capture.values.to_vec().into() },
        });
        (logits, layers.collect())
    }

    /// The sites it has, in the order a pass meets them.
    #[must_use]
    pub fn sites(&self) -> Vec<Site> {
        let hidden = match self {
            Self::Mlp(net) => net.hidden_layers().len(),
            Self::Cnn(net) => net.hidden_layers().len(),
        };
        (0..hidden).map(Site::Layer).chain([Site::Logits]).collect()
    }

    /// Gain and bias of what normalises each hidden layer, in the order of [`DigitConfig::norms`], read back from the device.
    #[must_use]
    pub fn norms(&self) -> Vec<[Vec<f32>; 2]> {
        match self {
            Self::Mlp(net) => net.norms(),
            Self::Cnn(_) => Vec::new(),
        }
    }

    /// The same network with such.
    #[must_use]
    pub fn with_norms(self, norms: &[[Vec<f32>; 2]], device: &Device) -> Self {
        match self {
            Self::Mlp(net) => Self::Mlp(net.with_norms(norms, device)),
            Self::Cnn(net) => Self::Cnn(net),
        }
    }

    /// The weights of every layer from input to output, read back from the device.
    #[must_use]
    pub fn layer_weights(&self) -> Vec<LayerWeights> {
        match self {
            Self::Mlp(net) => net.layer_weights(),
            Self::Cnn(net) => net.layer_weights(),
        }
    }
}

/// Row-major values of a tensor. A device that cannot be read is lost; the engine's guard turns the panic into an error.
pub(in crate::nn) fn read_back<const D: usize>(x: &Tensor<D>) -> Vec<f32> {
    x.try_to_vec_as::<f32>().expect("the device gives back what it holds")
}

pub(in crate::nn) fn bias_tensor(weights: &LayerWeights, device: &Device) -> Param<Tensor<1>> {
    Param::from_data(TensorData::new(weights.bias.to_vec(), [weights.bias.len()]), device)
}

/// The file's `[outputs, inputs]` as `[inputs, outputs]`.
pub(in crate::nn) fn matrix_tensor(weights: &LayerWeights, device: &Device) -> Param<Tensor<2>> {
    let [outputs, inputs] = *weights.shape.as_slice() else { panic!("{} is no matrix", weights.name) };
    let transposed = transpose(&weights.values, outputs, inputs);
    Param::from_data(TensorData::new(transposed, [inputs, outputs]), device)
}

pub(in crate::nn) fn matrix_weights(name: String, weight: &Tensor<2>, bias: &Tensor<1>) -> LayerWeights {
    let [inputs, outputs] = weight.dims();
    let values = transpose(&read_back(weight), inputs, outputs).into();
    LayerWeights { name, shape: vec![outputs, inputs], values, bias: read_back(bias).into() }
}

pub(in crate::nn) fn kernel_tensor(weights: &LayerWeights, device: &Device) -> Param<Tensor<4>> {
    let shape: [usize; 4] = weights.shape.clone().try_into().expect("a kernel has four axes");
    Param::from_data(TensorData::new(weights.values.to_vec(), shape), device)
}

pub(in crate::nn) fn kernel_weights(name: String, weight: &Tensor<4>, bias: &Tensor<1>) -> LayerWeights {
    LayerWeights { name, shape: weight.dims().to_vec(), values: read_back(weight).into(), bias: read_back(bias).into() }
}

fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Nonlinearity;

    fn image(seed: u64) -> Vec<f32> {
        let mut random = Random::new(seed, 0);
        (0..784).map(|_| random.uniform()).collect()
    }

    fn logits(net: &DigitNet, images: &[Vec<f32>]) -> Vec<f32> {
        let data = TensorData::new(images.concat(), [images.len(), 784]);
        read_back(&net.forward(Tensor::from_data(data, &Device::flex()), &mut Hooks::off()))
    }

    #[test]
    fn networks_have_the_sizes_they_are_shipped_with() {
        let mlp = DigitConfig::of(DigitNetwork::Mlp);
        assert_eq!(mlp.parameters(), 784 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10);
        let names: Vec<_> = mlp.layers().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["fc1", "fc2", "fc3"]);
        let cnn = DigitConfig::of(DigitNetwork::Cnn);
        assert!(cnn.parameters() <= 200_000, "{} parameters", cnn.parameters());
        assert_eq!(cnn.init(1, &Device::flex()).num_params() as u64, cnn.parameters());
    }

    #[test]
    fn a_kernel_is_multiplied_once_for_each_pixel_and_a_matrix_once() {
        assert_eq!(DigitConfig::of(DigitNetwork::Mlp).multiply_adds(), 784 * 16 + 16 * 16 + 16 * 10);
        let convolutions = 16 * 9 * 784 + 32 * 16 * 9 * 196 + 64 * 32 * 9 * 49;
        assert_eq!(DigitConfig::of(DigitNetwork::Cnn).multiply_adds(), convolutions + 64 * 9 * 96 + 96 * 10);
    }

    #[test]
    fn other_classes_change_the_output_layer_alone_whose_path_is_known() {
        for network in [DigitNetwork::Mlp, DigitNetwork::Cnn] {
            let config = DigitConfig::of(network);
            let (ten, three) = (config.layers(), config.with_classes(3).layers());
            assert_eq!(ten[..ten.len() - 1], three[..three.len() - 1]);
            assert_eq!((three[three.len() - 1].1[0], config.with_classes(3).classes()), (3, 3));
        }
    }

    #[test]
    fn weights_survive_the_way_out_and_in() {
        for network in [DigitNetwork::Mlp, DigitNetwork::Cnn] {
            let config = DigitConfig::of(network);
            let net = config.init(3, &Device::flex());
            let weights = net.layer_weights();
            let again = config.with_weights(&weights, &Device::flex());
            assert_eq!(weights, again.layer_weights());
            let input = [image(1), image(2)];
            assert_eq!(logits(&net, &input), logits(&again, &input));
        }
    }

    #[test]
    fn layers_of_a_recipe_are_what_they_say() {
        let device = Device::flex();
        let layers = DigitLayers {
            hidden: vec![5, 5, 5],
            activation: Nonlinearity::Sigmoid,
            norm: true,
            residual: true,
            dropout: 0.5,
        };
        let config = DigitConfig::perceptron(layers);
        let gains = |i: usize| [vec![0.5 + i as f32, 1.0, 2.0, -1.0, 0.1], vec![0.0, 0.5, -0.5, 0.2, i as f32]];
        let net = config.init(5, &device).with_norms(&[gains(0), gains(1), gains(2)], &device);
        assert_eq!(net.num_params() as u64, config.parameters());
        let (weights, norms) = (net.layer_weights(), net.norms());
        let mut x = image(9);
        for (i, layer) in weights.iter().enumerate() {
            let mut made: Vec<f32> = (layer.values.chunks_exact(layer.shape[1]).zip(layer.bias.iter()))
                .map(|(row, bias)| bias + row.iter().zip(&x).map(|(w, x)| w * x).sum::<f32>())
                .collect();
            if let Some([gain, bias]) = norms.get(i) {
                let mean = made.iter().sum::<f32>() / 5.0;
                let deviation = (made.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 5.0 + 1e-5).sqrt();
                for (v, (gain, bias)) in made.iter_mut().zip(gain.iter().zip(bias)) {
                    *v = 1.0 / (1.0 + (-((*v - mean) / deviation * gain + bias)).exp());
                }
                if i > 0 {
                    made.iter_mut().zip(&x).for_each(|(v, before)| *v += before);
                }
            }
            x = made;
        }
        for (ours, expected) in logits(&net, &[image(9)]).iter().zip(x) {
            assert!((ours - expected).abs() < 1e-4, "{ours} instead of {expected}");
        }
        // Half of the values are dropped, but only in learning.
        let images = || Tensor::from_data(TensorData::new(image(9), [1, 784]), &device);
        let learning = net.forward(images(), &mut Hooks::off().learning(Random::new(1, 1))).into_data();
        assert_ne!(learning, net.forward(images(), &mut Hooks::off()).into_data());
    }

    #[test]
    fn the_perceptron_is_the_sum_it_claims_to_be() {
        let net = DigitConfig::of(DigitNetwork::Mlp).init(5, &Device::flex());
        let mut x = image(9);
        let weights = net.layer_weights();
        for (i, layer) in weights.iter().enumerate() {
            x = layer
                .values
                .chunks_exact(layer.shape[1])
                .zip(layer.bias.iter())
                .map(|(row, bias)| bias + row.iter().zip(&x).map(|(w, x)| w * x).sum::<f32>())
                .map(|v| if i + 1 < weights.len() { v.max(0.0) } else { v })
                .collect();
        }
        for (ours, expected) in logits(&net, &[image(9)]).iter().zip(x) {
            assert!((ours - expected).abs() < 1e-4, "{ours} instead of {expected}");
        }
    }

    #[test]
    fn activations_do_not_change_the_answer_and_have_their_shapes() {
        for network in [DigitNetwork::Mlp, DigitNetwork::Cnn] {
            let net = DigitConfig::of(network).init(3, &Device::flex());
            let input = Tensor::from_data(TensorData::new(image(4), [1, 784]), &Device::flex());
            let (with, layers) = net.forward_with_activations(input);
            assert_eq!(read_back(&with), logits(&net, &[image(4)]));
            let shapes: Vec<_> = layers
                .iter()
                .map(|layer| match layer {
                    LayerActivation::Units { name, values } => (name.as_str(), values.len()),
                    LayerActivation::Maps { name, channels, height, width, values } => {
                        assert_eq!(values.len(), channels * height * width);
                        (name.as_str(), values.len())
                    }
                })
                .collect();
            match network {
                DigitNetwork::Mlp => assert_eq!(shapes, [("fc1", 16), ("fc2", 16)]),
                DigitNetwork::Cnn => assert_eq!(
                    shapes,
                    [("conv1", 16 * 28 * 28), ("conv2", 32 * 14 * 14), ("conv3", 64 * 7 * 7), ("fc1", 96)]
                ),
            }
        }
    }
}
