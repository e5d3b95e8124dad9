//! A network of the same shape that has learned nothing.

use crate::nn::Random;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};

/// The stream that weights are drawn from.
const REDRAWN: u64 = 26 << 40;

/// Weights drawn anew: matrices from N(0, s²), biases of zeros, gains of ones, as BERT begins. Of networks whose weights are in F32.
#[must_use]
pub fn redrawn<M: Module>(network: M, std: f64, seed: u64) -> M {
    network.map(&mut Redrawing { random: Random::new(seed, REDRAWN), std, names: Vec::new() })
}

struct Redrawing {
    random: Random,
    std: f64,
    names: Vec<String>,
}

impl ModuleMapper for Redrawing {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.names.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.names.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let is_gain = self.names.iter().any(|name| name == "gain");
        param.map(|tensor| {
            let (shape, count) = (tensor.shape(), tensor.shape().num_elements());
            let values: Vec<f32> = match (D, is_gain) {
                (_, true) => vec![1.0; count],
                (1, false) => vec![0.0; count],
                _ => (0..count).map(|_| self.random.normal() * self.std as f32).collect(),
            };
            Tensor::from_data(TensorData::new(values, shape), &tensor.device())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Linear;
    use crate::nn::layers::norm::LayerNorm;
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct Pair {
        linear: Linear,
        norm: LayerNorm,
    }

    #[test]
    fn matrices_are_drawn_and_vectors_begin_as_they_do() {
        let device = Device::flex();
        device.seed(3);
        let norm = LayerNorm::new(Tensor::full([8], 3.0, &device), Tensor::full([8], 2.0, &device), 1e-5);
        let pair = Pair { linear: Linear::random([40, 50], true, 9.0, &device), norm };
        let values = |pair: &Pair| pair.linear.weight.val().try_to_vec_as::<f32>().unwrap();
        let [again, other] = [7, 8].map(|seed| redrawn(pair.clone(), 0.02, seed));
        let weights = values(&again);
        let variance = weights.iter().map(|x| f64::from(x * x)).sum::<f64>() / weights.len() as f64;
        assert!((variance.sqrt() - 0.02).abs() < 0.001, "{}", variance.sqrt());
        assert_eq!(weights, values(&redrawn(pair, 0.02, 7)));
        assert_ne!(weights, values(&other));
        assert_eq!(again.norm.gain.val().try_to_vec_as::<f32>().unwrap(), [1.0; 8]);
        assert_eq!(again.norm.bias.val().try_to_vec_as::<f32>().unwrap(), [0.0; 8]);
    }
}
