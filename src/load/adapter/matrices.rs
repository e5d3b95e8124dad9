//! The matrices of a network under the names that transformers has for its modules.
//!
//! The model holds some of them under each other, in the order of their rows; none is permuted against transformers: what GGUF files
//! permute is put right when they are read.

use crate::nn::{CausalLm, Linear, TextBody, TextClassifier, TextEncoder, Vit, Weight};
use burn::module::Param;
use burn::tensor::Tensor;

/// One matrix.
pub struct Matrix<'a> {
    /// The modules whose rows it holds, and how many of each, in order.
    pub modules: Vec<(String, usize)>,
    /// `[out, in]`; of a table `[V, D]`.
    pub weight: &'a mut Weight,
    /// `[out]`.
    pub bias: Option<&'a mut Param<Tensor<1>>>,
    pub kind: MatrixKind,
}

/// What a matrix is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatrixKind {
    /// A projection inside the network.
    Linear,
    /// Embeddings: its rows are looked up.
    Table,
    /// What gives the scores of tokens.
    Head,
    /// What stands between a body and classes: it learns as a whole beside a low-rank change of the body.
    Classes,
}

impl<'a> Matrix<'a> {
    /// A layer of several modules under each other.
    pub(in crate::load) fn of(modules: impl Into<Vec<(String, usize)>>, linear: &'a mut Linear) -> Self {
        let bias = linear.bias.as_mut();
        Self { modules: modules.into(), weight: &mut linear.weight, bias, kind: MatrixKind::Linear }
    }

    /// A layer that is one module.
    pub(in crate::load) fn linear(module: String, linear: &'a mut Linear) -> Self {
        let rows = linear.weight.dims()[0];
        Self::of([(module, rows)], linear)
    }

    /// A table of embeddings.
    pub(in crate::load) fn table(module: &str, weight: &'a mut Weight) -> Self {
        let rows = weight.dims()[0];
        Self { modules: vec![(module.to_owned(), rows)], weight, bias: None, kind: MatrixKind::Table }
    }

    /// What gives the scores.
    pub(in crate::load) fn head(module: &str, linear: &'a mut Linear) -> Self {
        Self { kind: MatrixKind::Head, ..Self::linear(module.to_owned(), linear) }
    }
}

/// A network whose matrices have names.
pub trait Named {
    /// Every matrix.
    fn matrices(&mut self) -> Vec<Matrix<'_>>;

    /// What stands before the names of the network without its head, where it has one.
    fn prefix(&self) -> &'static str;

    /// The module that gives the scores.
    fn head_module(&self) -> &'static str;

    /// The module of the token embeddings.
    fn table_module(&self) -> &'static str;

    /// Gives the network a head of its own, equal to the embeddings, where these served as one.
    fn untie(&mut self);

    /// What other versions of transformers call the module that has this name among [`Self::matrices`], where they call it otherwise.
    #[must_use]
    fn other_name(_module: &str) -> Option<String> {
        None
    }
}

/// True when two paths are of one module: they are equal without the prefix of the network, or one is the other's other name.
pub(super) fn is_same<N: Named>(ours: &str, named: &str, prefix: &str) -> bool {
    // Adapters that were made for the network without its head lack what stands before its names.
    let without = |path: &str| path.strip_prefix(prefix).unwrap_or(path).to_owned();
    without(ours) == without(named) || N::other_name(ours).is_some_and(|other| without(&other) == without(named))
}

/// True while a run learns changes of a network's weights, and not the weights.
#[must_use]
pub fn learns_changes<N: Named + Clone>(net: &N) -> bool {
    net.clone().matrices().iter().any(|matrix| matches!(matrix.weight, Weight::Fixed(_)))
}

/// The block a module belongs to.
pub(super) fn block_of(module: &str) -> Option<usize> {
    module.split('.').find_map(|part| part.parse().ok())
}

impl Named for CausalLm {
    fn matrices(&mut self) -> Vec<Matrix<'_>> {
        crate::load::text::family::matrices(self)
    }

    fn prefix(&self) -> &'static str {
        match self {
            Self::Gpt2(_) => "transformer.",
            Self::GptNeox(_) => "gpt_neox.",
            Self::Llama(_) | Self::Gemma2(_) => "model.",
            Self::Recurrent(_) | Self::FeedForward(_) => "",
        }
    }

    fn head_module(&self) -> &'static str {
        match self {
            Self::GptNeox(_) => "embed_out",
            Self::Recurrent(_) | Self::FeedForward(_) => "head",
            Self::Gpt2(_) | Self::Llama(_) | Self::Gemma2(_) => "lm_head",
        }
    }

    fn table_module(&self) -> &'static str {
        match self {
            Self::Gpt2(_) => "transformer.wte",
            Self::GptNeox(_) => "gpt_neox.embed_in",
            Self::Llama(_) | Self::Gemma2(_) => "model.embed_tokens",
            Self::Recurrent(_) | Self::FeedForward(_) => "embedding",
        }
    }

    fn untie(&mut self) {
        let (table, head) = match self {
            Self::Gpt2(gpt2) => (&gpt2.token_embedding, &mut gpt2.head),
            Self::GptNeox(neox) => (&neox.token_embedding, &mut neox.head),
            Self::Llama(llama) => (&llama.token_embedding, &mut llama.head),
            Self::Gemma2(gemma) => (&gemma.token_embedding, &mut gemma.head),
            Self::Recurrent(recurrent) => (&recurrent.token_embedding, &mut recurrent.head),
            Self::FeedForward(network) => (&network.token_embedding, &mut network.head),
        };
        head.get_or_insert_with(|| Linear::new(table.clone(), None));
    }
    fn other_name(module: &str) -> Option<String> {
        // The head of GPT-NeoX, which files still call so.
        (module == "embed_out").then(|| "lm_head".to_owned())
    }
}

impl Named for TextEncoder {
    fn matrices(&mut self) -> Vec<Matrix<'_>> {
        crate::load::encoder::encoder_weights::matrices(self)
    }

    fn prefix(&self) -> &'static str {
        match self {
            Self::Bert(_) => "bert.",
            Self::Roberta(_) => "roberta.",
            Self::DistilBert(_) => "distilbert.",
        }
    }

    fn head_module(&self) -> &'static str {
        match self {
            Self::Bert(_) => "cls.predictions.decoder",
            Self::Roberta(_) => "lm_head.decoder",
            Self::DistilBert(_) => "vocab_projector",
        }
    }

    fn table_module(&self) -> &'static str {
        match self {
            Self::Bert(_) => "bert.embeddings.word_embeddings",
            Self::Roberta(_) => "roberta.embeddings.word_embeddings",
            Self::DistilBert(_) => "distilbert.embeddings.word_embeddings",
        }
    }

    fn untie(&mut self) {
        let (table, head) = match self {
            Self::Bert(model) => (&model.token_embedding, &mut model.head),
            Self::Roberta(model) => (&model.token_embedding, &mut model.head),
            Self::DistilBert(model) => (&model.token_embedding, &mut model.head),
        };
        if let Some(head) = head {
            head.decoder.get_or_insert_with(|| table.clone());
        }
    }
}

impl Named for TextClassifier {
    fn matrices(&mut self) -> Vec<Matrix<'_>> {
        crate::load::classifier::head_weights::matrices(self)
    }

    fn prefix(&self) -> &'static str {
        match &self.body {
            TextBody::Decoder(lm) => lm.prefix(),
            TextBody::Encoder(encoder) => encoder.prefix(),
        }
    }

    fn head_module(&self) -> &'static str {
        ""
    }

    fn table_module(&self) -> &'static str {
        ""
    }

    // A body has no head for tokens that its embeddings could be.
    fn untie(&mut self) {}
}

impl Named for Vit {
    fn matrices(&mut self) -> Vec<Matrix<'_>> {
        crate::load::vision::vision_weights::matrices(self)
    }

    fn prefix(&self) -> &'static str {
        crate::load::vision::vision_weights::prefix(self)
    }

    fn head_module(&self) -> &'static str {
        ""
    }

    fn table_module(&self) -> &'static str {
        ""
    }

    fn untie(&mut self) {}

    fn other_name(module: &str) -> Option<String> {
        crate::load::vision::vision_weights::later_name(module)
    }
}
