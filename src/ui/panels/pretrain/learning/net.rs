//! The networks that can learn from a text, and how large they are.

use crate::types::{
    BertShape, EncoderInit, FeedForwardShape, HiddenLayers, Init, LlamaShape, Nonlinearity, RecurrentCell,
    RecurrentShape, TextShape, Width,
};
use serde::{Deserialize, Serialize};

/// Tokens that the feed-forward network sees before each that it predicts.
const WINDOW: usize = 8;

/// A kind of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Net {
    Transformer,
    Lstm,
    Rnn,
    FeedForward,
    /// The same with several layers, whose parts can be switched off.
    Deep,
    /// A transformer that looks both ways and fills blanks.
    Encoder,
}

impl Net {
    /// Those that predict the next word.
    pub const CAUSAL: [Self; 5] = [Self::Transformer, Self::Lstm, Self::Rnn, Self::FeedForward, Self::Deep];

    /// Its peak learning rate in proportion to the transformer's. Found by trying three or four on stories at the smallest size: with the
    /// transformer's own, networks without attention hardly leave what counting words tells.
    pub fn rate(self) -> f64 {
        match self {
            Self::Transformer | Self::Encoder => 1.0,
            Self::Lstm => 10.0,
            Self::Rnn | Self::FeedForward | Self::Deep => 3.0,
        }
    }

    /// Its name in labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transformer => "Transformer",
            Self::Lstm => "LSTM",
            Self::Rnn => "tanh RNN",
            Self::FeedForward => "Feed-forward",
            Self::Deep => "Deep feed-forward",
            Self::Encoder => "Encoder",
        }
    }

    /// What it is, for the pointer.
    pub fn help(self) -> &'static str {
        match self {
            Self::Transformer => {
                "Reads all tokens at once; each looks back at every one before it (Vaswani et al. 2017; here a Llama)."
            }
            Self::Lstm => {
                "Reads token by token and keeps a state that gates let through (Hochreiter and Schmidhuber 1997)."
            }
            Self::Rnn => "Reads token by token; its state is overwritten at each (Elman 1990).",
            Self::FeedForward => "Sees the last 8 tokens and nothing before them (Bengio et al. 2003).",
            Self::Deep => {
                "The same with more layers. What made deep networks learn is switched on and off below: start again, and both curves stand \
                 in one plot."
            }
            Self::Encoder => "Looks both ways from each token and fills what is blank (Devlin et al. 2019).",
        }
    }
}

/// What deep networks are made of, part by part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Switches {
    pub layers: usize,
    pub activation: Nonlinearity,
    pub norm: bool,
    pub residual: bool,
    /// In percent.
    pub dropout: f64,
}

impl Default for Switches {
    fn default() -> Self {
        Self { layers: 6, activation: Nonlinearity::Relu, norm: true, residual: true, dropout: 0.0 }
    }
}

impl Switches {
    fn layers(&self) -> HiddenLayers {
        let Self { layers: count, activation, norm, residual, dropout } = *self;
        HiddenLayers { count, activation, dropout: dropout / 100.0, norm, residual }
    }

    /// What is on, in a few words.
    pub fn words(&self) -> String {
        let mut words = vec![format!("{} × {}", self.layers, self.activation.name())];
        words.extend(self.norm.then(|| "norm".to_owned()));
        words.extend(self.residual.then(|| "residual".to_owned()));
        words.extend((self.dropout > 0.0).then(|| format!("dropout {} %", self.dropout)));
        words.join(", ")
    }
}

/// How long learning takes, about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Size {
    #[default]
    Seconds,
    Minutes,
    TenMinutes,
    Hour,
}

/// What belongs to a size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub hidden: usize,
    pub layers: usize,
    /// Of networks that read token by token: deeper ones are slow to begin with.
    pub recurrent_layers: usize,
    pub heads: usize,
    pub intermediate: usize,
    pub vocabulary: usize,
    pub context: usize,
    pub batch: usize,
    pub steps: usize,
    /// Peak learning rate of the transformer.
    pub rate: f64,
    pub eval_every: usize,
    /// Passages of a text that is written for it.
    pub passages: usize,
}

impl Size {
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Seconds, "Seconds"),
        (Self::Minutes, "Minutes"),
        (Self::TenMinutes, "Half an hour"),
        (Self::Hour, "Hours"),
    ];

    /// The numbers of a size.
    pub fn numbers(self) -> Numbers {
        match self {
            Self::Seconds => Numbers {
                hidden: 64,
                layers: 2,
                recurrent_layers: 1,
                heads: 4,
                intermediate: 176,
                vocabulary: 1024,
                context: 64,
                batch: 8,
                steps: 300,
                rate: 3e-3,
                eval_every: 25,
                passages: 256,
            },
            Self::Minutes => Numbers {
                hidden: 96,
                layers: 3,
                recurrent_layers: 1,
                heads: 4,
                intermediate: 256,
                vocabulary: 1024,
                context: 96,
                batch: 16,
                steps: 800,
                rate: 2e-3,
                eval_every: 50,
                passages: 1024,
            },
            Self::TenMinutes => Numbers {
                hidden: 128,
                layers: 4,
                recurrent_layers: 2,
                heads: 4,
                intermediate: 352,
                vocabulary: 2048,
                context: 128,
                batch: 16,
                steps: 2500,
                rate: 1.5e-3,
                eval_every: 100,
                passages: 3000,
            },
            Self::Hour => Numbers {
                hidden: 192,
                layers: 6,
                recurrent_layers: 2,
                heads: 6,
                intermediate: 512,
                vocabulary: 4096,
                context: 128,
                batch: 16,
                steps: 8000,
                rate: 1e-3,
                eval_every: 200,
                passages: 6000,
            },
        }
    }
}

impl Numbers {
    /// Numbers of the transformer, where its vocabulary is as large as asked for.
    pub fn parameters(&self) -> u64 {
        self.llama().parameters()
    }

    fn llama(&self) -> LlamaShape {
        let Self { hidden, layers, heads, intermediate, vocabulary, context: max_positions, .. } = *self;
        let (kv_heads, init) = (heads, Init::Normal);
        LlamaShape { hidden, layers, heads, kv_heads, intermediate, max_positions, vocabulary, init }
    }

    /// The shape of a network that predicts the next token; all but the transformer have about `parameters` numbers.
    pub fn shape(&self, net: Net, parameters: u64, switches: &Switches) -> TextShape {
        let Self { recurrent_layers, vocabulary, context: max_positions, .. } = *self;
        let recurrent = |cell| {
            TextShape::Recurrent(RecurrentShape {
                cell,
                layers: recurrent_layers,
                width: Width::Parameters(parameters),
                embedding: None,
                tied: None,
                max_positions,
                vocabulary,
            })
        };
        match net {
            Net::Lstm => recurrent(RecurrentCell::Lstm),
            Net::Rnn => recurrent(RecurrentCell::Tanh),
            Net::FeedForward | Net::Deep => TextShape::FeedForward(FeedForwardShape {
                window: WINDOW,
                width: Width::Parameters(parameters),
                layers: if net == Net::Deep { switches.layers() } else { HiddenLayers::default() },
                embedding: None,
                direct: false,
                tied: None,
                max_positions,
                vocabulary,
            }),
            Net::Transformer | Net::Encoder => TextShape::Llama(self.llama()),
        }
    }

    /// The shape of an encoder.
    pub fn encoder(&self) -> BertShape {
        let Self { hidden, layers, heads, vocabulary, context: max_positions, .. } = *self;
        BertShape {
            hidden,
            layers,
            heads,
            intermediate: 4 * hidden,
            max_positions,
            vocabulary,
            init: EncoderInit::Counted,
        }
    }
}
