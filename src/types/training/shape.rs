//! Text models that are built from scratch: their architectures and sizes, as recipes write them.

use crate::types::{HiddenLayers, Nonlinearity, RecurrentCell};
use serde::{Deserialize, Serialize};

/// Tokens of a vocabulary that has one for each byte, and the one between documents.
pub const BYTE_VOCABULARY: usize = 257;

/// A text model to build from scratch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenShape", into = "WrittenShape")]
pub enum TextShape {
    /// A Llama.
    Llama(LlamaShape),
    /// An LSTM or a tanh network.
    Recurrent(RecurrentShape),
    /// A feed-forward network over the last tokens.
    FeedForward(FeedForwardShape),
}

/// A Llama-architecture model.
#[derive(Clone, Debug, PartialEq)]
pub struct LlamaShape {
    /// Width D of the residual stream.
    pub hidden: usize,
    /// Blocks.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Key-value heads.
    pub kv_heads: usize,
    /// Width F of the gated MLP.
    pub intermediate: usize,
    /// Longest sequence the model will be used with.
    pub max_positions: usize,
    /// Vocabulary size of the byte-level BPE that is trained on the same text.
    pub vocabulary: usize,
    /// How weights are drawn.
    pub init: Init,
}

/// A recurrent model.
#[derive(Clone, Debug, PartialEq)]
pub struct RecurrentShape {
    /// What each unit computes.
    pub cell: RecurrentCell,
    /// Layers.
    pub layers: usize,
    /// How wide its layers are.
    pub width: Width,
    /// Width of the embeddings; that of the layers unless told.
    pub embedding: Option<usize>,
    /// True when the head is the token embedding: as long as both are as wide, unless told.
    pub tied: Option<bool>,
    /// Longest sequence the model will be used with.
    pub max_positions: usize,
    /// As in [`LlamaShape`].
    pub vocabulary: usize,
}

/// A feed-forward model.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedForwardShape {
    /// Tokens that a prediction sees.
    pub window: usize,
    /// How wide its layers are.
    pub width: Width,
    /// What they are made of.
    pub layers: HiddenLayers,
    /// Width of the embeddings; that of the layers unless told.
    pub embedding: Option<usize>,
    /// True with connections from the embeddings to the scores.
    pub direct: bool,
    /// As in [`RecurrentShape`].
    pub tied: Option<bool>,
    /// Longest sequence the model will be used with.
    pub max_positions: usize,
    /// As in [`LlamaShape`].
    pub vocabulary: usize,
}

/// How wide layers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// So many units.
    Units(usize),
    /// As many as bring the numbers of the model nearest to these, such as those of another model.
    Parameters(u64),
}

impl LlamaShape {
    /// Numbers of the model: the tied embedding, and of each block queries, keys, values, their output, the gated MLP and two norms; a norm
    /// at the end.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let [v, d, l, f] = [self.vocabulary, self.hidden, self.layers, self.intermediate].map(|n| n as u64);
        let keys = d.saturating_mul(self.kv_heads as u64) / (self.heads as u64).max(1);
        let matrices = d.saturating_mul(2 * d + 2 * keys).saturating_add(d.saturating_mul(f).saturating_mul(3));
        v.saturating_mul(d).saturating_add(l.saturating_mul(matrices.saturating_add(2 * d))).saturating_add(d)
    }
}

impl TextShape {
    /// Longest sequence the model will be used with.
    #[must_use]
    pub fn max_positions(&self) -> usize {
        match self {
            Self::Llama(shape) => shape.max_positions,
            Self::Recurrent(shape) => shape.max_positions,
            Self::FeedForward(shape) => shape.max_positions,
        }
    }

    /// Tokens of its vocabulary.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        match self {
            Self::Llama(shape) => shape.vocabulary,
            Self::Recurrent(shape) => shape.vocabulary,
            Self::FeedForward(shape) => shape.vocabulary,
        }
    }
}

/// How the weights of a new Llama are drawn. Projections into the residual stream are scaled by 1/√(2 · layers) always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Every matrix from N(0, 0.02²) (Radford et al. 2019).
    #[default]
    Normal,
    /// Every matrix but the embeddings from N(0, 0.2 / D), and the parts of induction heads in their places: four heads of the
    /// first block look back one to four tokens, two of the second block find what followed the last time and copy it (Olsson et
    /// al. 2022), a third finds where the same token stood, and every later block's heads hand on what they read (mimetic
    /// initialisation, Trockman and Kolter 2023). Needs two layers, four heads and three key-value heads.
    LookBack,
}

/// The architectures by their names in recipes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Written {
    #[default]
    Llama,
    Lstm,
    Rnn,
    FeedForward,
}

/// A shape as a file has it: the sizes of all architectures, of which each has its own.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenShape {
    #[serde(skip_serializing_if = "is_llama")]
    architecture: Written,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kv_heads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intermediate: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direct: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activation: Option<Nonlinearity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropout: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    norm: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    residual: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tied: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_positions: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vocabulary: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    init: Option<Init>,
}

fn is_llama(architecture: &Written) -> bool {
    *architecture == Written::Llama
}

impl WrittenShape {
    /// Takes what an architecture has not, if anything is told of it.
    fn foreign(&self) -> Option<&'static str> {
        let is_llama = self.architecture == Written::Llama;
        let of_window = self.architecture == Written::FeedForward;
        let told = [
            ("heads", self.heads.is_some(), is_llama),
            ("kv_heads", self.kv_heads.is_some(), is_llama),
            ("intermediate", self.intermediate.is_some(), is_llama),
            ("init", self.init.is_some(), is_llama),
            ("parameters", self.parameters.is_some(), !is_llama),
            ("embedding", self.embedding.is_some(), !is_llama),
            ("tied", self.tied.is_some(), !is_llama),
            ("window", self.window.is_some(), of_window),
            ("direct", self.direct.is_some(), of_window),
            ("activation", self.activation.is_some(), of_window),
            ("dropout", self.dropout.is_some(), of_window),
            ("norm", self.norm.is_some(), of_window),
            ("residual", self.residual.is_some(), of_window),
        ];
        told.into_iter().find(|(_, is_told, has)| *is_told && !has).map(|(name, ..)| name)
    }

    fn needed(value: Option<usize>, name: &str) -> Result<usize, String> {
        value.ok_or_else(|| format!("missing field `{name}` of the shape"))
    }

    fn hidden_layers(&self) -> HiddenLayers {
        let usual = HiddenLayers::default();
        HiddenLayers {
            count: self.layers.unwrap_or(usual.count),
            activation: self.activation.unwrap_or(usual.activation),
            dropout: self.dropout.unwrap_or(usual.dropout),
            norm: self.norm.unwrap_or(usual.norm),
            residual: self.residual.unwrap_or(usual.residual),
        }
    }

    fn width(&self) -> Result<Width, String> {
        match (self.hidden, self.parameters) {
            (Some(units), None) => Ok(Width::Units(units)),
            (None, Some(parameters)) => Ok(Width::Parameters(parameters)),
            (None, None) => Err("missing field `hidden` of the shape, or `parameters` in its place".to_owned()),
            (Some(_), Some(_)) => {
                Err("`hidden` and `parameters` of the shape both say how wide it is: leave one out".to_owned())
            }
        }
    }
}

impl TryFrom<WrittenShape> for TextShape {
    type Error = String;

    fn try_from(written: WrittenShape) -> Result<Self, String> {
        if let Some(name) = written.foreign() {
            let architecture = match written.architecture {
                Written::Llama => "llama",
                Written::Lstm => "lstm",
                Written::Rnn => "rnn",
                Written::FeedForward => "feed_forward",
            };
            return Err(format!("the shape of architecture \"{architecture}\" has no `{name}`"));
        }
        let needed = WrittenShape::needed;
        let (max_positions, vocabulary) =
            (needed(written.max_positions, "max_positions")?, written.vocabulary.unwrap_or(BYTE_VOCABULARY));
        let WrittenShape { embedding, tied, .. } = written;
        Ok(match written.architecture {
            Written::Llama => Self::Llama(LlamaShape {
                hidden: needed(written.hidden, "hidden")?,
                layers: needed(written.layers, "layers")?,
                heads: needed(written.heads, "heads")?,
                kv_heads: needed(written.kv_heads, "kv_heads")?,
                intermediate: needed(written.intermediate, "intermediate")?,
                max_positions,
                vocabulary,
                init: written.init.unwrap_or_default(),
            }),
            Written::Lstm | Written::Rnn => Self::Recurrent(RecurrentShape {
                cell: if written.architecture == Written::Lstm { RecurrentCell::Lstm } else { RecurrentCell::Tanh },
                layers: needed(written.layers, "layers")?,
                width: written.width()?,
                embedding,
                tied,
                max_positions,
                vocabulary,
            }),
            Written::FeedForward => Self::FeedForward(FeedForwardShape {
                window: needed(written.window, "window")?,
                width: written.width()?,
                layers: written.hidden_layers(),
                embedding,
                direct: written.direct.unwrap_or(false),
                tied,
                max_positions,
                vocabulary,
            }),
        })
    }
}

impl From<TextShape> for WrittenShape {
    fn from(shape: TextShape) -> Self {
        let common = Self {
            max_positions: Some(shape.max_positions()),
            vocabulary: Some(shape.vocabulary()),
            ..Self::default()
        };
        let widths = |width: Width| match width {
            Width::Units(units) => (Some(units), None),
            Width::Parameters(parameters) => (None, Some(parameters)),
        };
        match shape {
            TextShape::Llama(shape) => Self {
                hidden: Some(shape.hidden),
                layers: Some(shape.layers),
                heads: Some(shape.heads),
                kv_heads: Some(shape.kv_heads),
                intermediate: Some(shape.intermediate),
                init: Some(shape.init),
                ..common
            },
            TextShape::Recurrent(shape) => {
                let (hidden, parameters) = widths(shape.width);
                Self {
                    architecture: if shape.cell == RecurrentCell::Lstm { Written::Lstm } else { Written::Rnn },
                    hidden,
                    parameters,
                    layers: Some(shape.layers),
                    embedding: shape.embedding,
                    tied: shape.tied,
                    ..common
                }
            }
            TextShape::FeedForward(shape) => {
                let (hidden, parameters) = widths(shape.width);
                let (layers, usual) = (shape.layers, HiddenLayers::default());
                Self {
                    architecture: Written::FeedForward,
                    layers: (layers.count != usual.count).then_some(layers.count),
                    activation: (layers.activation != usual.activation).then_some(layers.activation),
                    dropout: (layers.dropout != usual.dropout).then_some(layers.dropout),
                    norm: (layers.norm != usual.norm).then_some(layers.norm),
                    residual: (layers.residual != usual.residual).then_some(layers.residual),
                    hidden,
                    parameters,
                    window: Some(shape.window),
                    embedding: shape.embedding,
                    direct: Some(shape.direct),
                    tied: shape.tied,
                    ..common
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TextShape, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_shape_without_an_architecture_is_a_llama_as_before() {
        let text = "hidden = 8\nlayers = 2\nheads = 2\nkv_heads = 1\nintermediate = 16\nmax_positions = 32\nvocabulary = 300\n";
        let shape = read(text).unwrap();
        assert!(matches!(&shape, TextShape::Llama(llama) if llama.heads == 2 && llama.init == Init::Normal));
        let written = toml::to_string(&shape).unwrap();
        assert_eq!((written.contains("architecture"), read(&written).unwrap()), (false, shape));
    }

    #[test]
    fn a_llamas_numbers_are_counted_from_its_sizes() {
        // As the trained model's file has them.
        let of = |text: &str| match read(text).unwrap() {
            TextShape::Llama(shape) => shape.parameters(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            of("hidden = 64\nlayers = 2\nheads = 4\nkv_heads = 4\nintermediate = 128\nmax_positions = 256"),
            98_688
        );
    }

    #[test]
    fn networks_without_attention_have_sizes_of_their_own() {
        let shape = read("architecture = \"lstm\"\nlayers = 2\nparameters = 1000000\nmax_positions = 64").unwrap();
        let TextShape::Recurrent(lstm) = &shape else { panic!("{shape:?}") };
        assert_eq!((lstm.cell, lstm.width, lstm.vocabulary), (RecurrentCell::Lstm, Width::Parameters(1_000_000), 257));
        assert_eq!(read(&toml::to_string(&shape).unwrap()).unwrap(), shape);
        let shape = read("architecture = \"feed_forward\"\nwindow = 4\nhidden = 32\ndirect = true\nmax_positions = 64")
            .unwrap();
        let TextShape::FeedForward(plain) = &shape else { panic!("{shape:?}") };
        assert!(plain.direct && plain.window == 4 && plain.layers == HiddenLayers::default());
        let written = toml::to_string(&shape).unwrap();
        assert!(!written.contains("layers") && !written.contains("dropout"), "as before: {written}");
        assert_eq!(read(&written).unwrap(), shape);
        let switches = "layers = 6\nactivation = \"relu\"\ndropout = 0.25\nnorm = true\nresidual = true\n";
        let deep =
            read(&format!("architecture = \"feed_forward\"\nwindow = 4\nhidden = 32\nmax_positions = 64\n{switches}"));
        let deep = deep.unwrap();
        let TextShape::FeedForward(shape) = &deep else { panic!("{deep:?}") };
        assert_eq!(shape.layers.words(), "6 layers, relu, normalised, residual, dropout 0.25");
        assert_eq!(read(&toml::to_string(&deep).unwrap()).unwrap(), deep);
    }

    #[test]
    fn what_an_architecture_has_not_is_named() {
        let of = |text: &str| read(text).unwrap_err();
        assert!(
            of("architecture = \"rnn\"\nlayers = 1\nhidden = 4\nheads = 2\nmax_positions = 8").contains("no `heads`")
        );
        assert!(of("architecture = \"lstm\"\nlayers = 1\nmax_positions = 8").contains("`hidden`"));
        assert!(
            of("architecture = \"lstm\"\nlayers = 1\nhidden = 4\nparameters = 9\nmax_positions = 8")
                .contains("leave one out")
        );
        assert!(of("hidden = 4\nlayers = 1\nwindow = 3").contains("no `window`"));
        assert!(
            of("architecture = \"lstm\"\nlayers = 1\nhidden = 4\nnorm = true\nmax_positions = 8").contains("no `norm`")
        );
        let gelu =
            of("architecture = \"feed_forward\"\nwindow = 3\nhidden = 4\nactivation = \"gelu\"\nmax_positions = 8");
        assert!(gelu.contains("gelu") && gelu.contains("sigmoid"), "{gelu}");
        assert!(of("architecture = \"gru\"\nlayers = 1").contains("gru"));
    }
}
