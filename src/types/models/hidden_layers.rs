//! What the hidden layers of a feed-forward network are made of.

use serde::{Deserialize, Serialize};

/// What is applied to each value of a hidden layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nonlinearity {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// max(0, x) (Nair and Hinton 2010).
    Relu,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
}

impl Nonlinearity {
    /// All.
    pub const ALL: [Self; 3] = [Self::Tanh, Self::Relu, Self::Sigmoid];

    /// Its name in recipes and in config.json.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tanh => "tanh",
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The hidden layers of a feed-forward network, all alike: h = f(norm(W x + b)), thinned out while it learns, and x added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HiddenLayers {
    /// How many.
    pub count: usize,
    /// f.
    pub activation: Nonlinearity,
    /// Share of the values that are set to zero while the network learns, the others divided by what is left of 1 (Srivastava et al. 2014);
    /// below 1.
    pub dropout: f64,
    /// Layer normalisation before each activation (Ba et al. 2016).
    pub norm: bool,
    /// Layers behind the first add what they read to what they make (He et al. 2016).
    pub residual: bool,
}

impl Default for HiddenLayers {
    /// The one layer of Bengio et al. (2003).
    fn default() -> Self {
        Self { count: 1, activation: Nonlinearity::Tanh, dropout: 0.0, norm: false, residual: false }
    }
}

impl HiddenLayers {
    /// Names of what `self` has and the layer of Bengio et al. has not, for a line of words such as `6 layers, relu, normalised, residual`.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { count, activation, dropout, norm, residual } = *self;
        let mut words = vec![if count == 1 { "1 layer".to_owned() } else { format!("{count} layers") }];
        words.push(activation.name().to_owned());
        words.extend(norm.then(|| "normalised".to_owned()));
        words.extend(residual.then(|| "residual".to_owned()));
        words.extend((dropout > 0.0).then(|| format!("dropout {dropout}")));
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_told_in_words() {
        assert_eq!(HiddenLayers::default().words(), "1 layer, tanh");
        let deep = HiddenLayers { count: 6, activation: Nonlinearity::Relu, dropout: 0.1, norm: true, residual: true };
        assert_eq!(deep.words(), "6 layers, relu, normalised, residual, dropout 0.1");
        assert_eq!(Nonlinearity::ALL.map(|kind| Nonlinearity::from_name(kind.name())), Nonlinearity::ALL.map(Some));
    }
}
