//! A layer of a feed-forward network that reads the one before it.

use crate::nn::layers::linear::Linear;
use crate::nn::layers::norm::LayerNorm;
use burn::module::Module;

/// Weights of a hidden layer; what else is done with them is said at the network.
#[derive(Module, Debug)]
pub struct HiddenLayer {
    /// `[F, F]`.
    pub linear: Linear,
    /// Before the activation, if there is one.
    pub norm: Option<LayerNorm>,
}
