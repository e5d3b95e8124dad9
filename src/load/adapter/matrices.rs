//! The matrices of a network under the names that transformers has for its modules.
//!
//! The model holds some of them under each other, in the order of their rows; none is permuted against transformers: what GGUF files
//! permute is put right when they are read.

use crate::nn::{CausalLm, Linear, TextEncoder, Weight};
use burn::module::Param;
use burn::tensor::Tensor;

/// One matrix.
pub(in crate::load) struct Matrix<'a> {
    /// The modules whose rows it holds, and how many of each, in order.
    pub(in crate::load) modules: Vec<(String, usize)>,
    /// `[out, in]`; of a table `[V, D]`.
    pub(in crate::load) weight: &'a mut Weight,
    /// `[out]`.
    pub(in crate::load) bias: Option<&'a mut Param<Tensor<1>>>,
    pub(in crate::load) kind: MatrixKind,
}

/// What a matrix is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load) enum MatrixKind {
    /// A projection inside the network.
    Linear,
    /// Embeddings: its rows are looked up.
    Table,
    /// What gives the scores.
    Head,
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
pub(in crate::load) trait Named {
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
        }
    }

    fn head_module(&self) -> &'static str {
        match self {
            Self::GptNeox(_) => "embed_out",
            _ => "lm_head",
        }
    }

    fn table_module(&self) -> &'static str {
        match self {
            Self::Gpt2(_) => "transformer.wte",
            Self::GptNeox(_) => "gpt_neox.embed_in",
            Self::Llama(_) | Self::Gemma2(_) => "model.embed_tokens",
        }
    }

    fn untie(&mut self) {
        let (table, head) = match self {
            Self::Gpt2(gpt2) => (&gpt2.token_embedding, &mut gpt2.head),
            Self::GptNeox(neox) => (&neox.token_embedding, &mut neox.head),
            Self::Llama(llama) => (&llama.token_embedding, &mut llama.head),
            Self::Gemma2(gemma) => (&gemma.token_embedding, &mut gemma.head),
        };
        head.get_or_insert_with(|| Linear::new(table.clone(), None));
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
