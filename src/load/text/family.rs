//! What opening and saving need to know of each family of causal models. This is the one table: a new family is an entry in
//! each of the three lists, and an `impl` beside its own two files.

use crate::load::adapter::Matrix;
use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::load::tensors::weights::{StoredTensor, Weights};
use crate::load::text::config::sizes::Blocks;
use crate::load::text::config::{gemma2, gpt_neox, gpt2, llama, recurrent};
use crate::load::text::{gemma2_weights, gpt_neox_weights, gpt2_weights, llama_weights, recurrent_weights};
use crate::load::tokens::tokenizer_class::{TokenizerClass, UsualClass};
use crate::nn::{
    CausalLm, FeedForwardConfig, Gemma2Config, Gpt2Config, GptNeoxConfig, LlamaConfig, LlamaFamily, RecurrentConfig,
    TextConfig,
};
use crate::types::{Architecture, RecurrentCell};
use serde_json::Value;

/// A shape of one family, and what its files look like.
pub(in crate::load) trait Family {
    /// The fields of config.json, but for those that all families have.
    fn json(&self) -> Value;
    /// The network, from the tensors of a file.
    fn read(&self, weights: &mut Weights<'_>) -> Result<CausalLm, LoadError>;
    /// True for tensors that may stand in a file and are not read.
    fn is_harmless(&self, name: &str) -> bool;
    /// True when the output projection is the token embedding.
    fn tied(&self) -> bool;
    /// Weights of the network, give or take biases and gains.
    fn parameters(&self) -> u64;
    /// How transformers reads the tokenizer's files where they do not say it themselves.
    fn tokenizer_class(&self) -> UsualClass;
}

/// The shape that a config.json describes.
pub(super) fn read_config(fields: &Fields, architecture: Architecture) -> Result<TextConfig, LoadError> {
    Ok(match architecture {
        Architecture::Gpt2 => TextConfig::Gpt2(gpt2::read(fields)?),
        Architecture::GptNeox => TextConfig::GptNeox(gpt_neox::read(fields)?),
        Architecture::Llama => TextConfig::Llama(llama::read(fields, LlamaFamily::Llama)?),
        Architecture::Mistral => TextConfig::Llama(llama::read(fields, LlamaFamily::Mistral)?),
        Architecture::Qwen2 => TextConfig::Llama(llama::read(fields, LlamaFamily::Qwen2)?),
        Architecture::Qwen3 => TextConfig::Llama(llama::read(fields, LlamaFamily::Qwen3)?),
        Architecture::Gemma2 => TextConfig::Gemma2(gemma2::read(fields)?),
        Architecture::Lstm => TextConfig::Recurrent(recurrent::read(fields, RecurrentCell::Lstm)?),
        Architecture::Rnn => TextConfig::Recurrent(recurrent::read(fields, RecurrentCell::Tanh)?),
        Architecture::FeedForward => TextConfig::FeedForward(recurrent::read_feed_forward(fields)?),
        other => {
            return Err(fields.unsupported("architectures", &other.config_name(), "a causal language model here"));
        }
    })
}

/// The family of a shape.
pub(in crate::load) fn family(config: &TextConfig) -> &dyn Family {
    match config {
        TextConfig::Gpt2(config) => config,
        TextConfig::GptNeox(config) => config,
        TextConfig::Llama(config) => config,
        TextConfig::Gemma2(config) => config,
        TextConfig::Recurrent(config) => config,
        TextConfig::FeedForward(config) => config,
    }
}

/// The shape, with a head of its own where the network has one: what a file holds counts more than what config.json says.
pub(super) fn with_head_of(mut config: TextConfig, lm: &CausalLm) -> TextConfig {
    if has_head(lm) {
        untie(&mut config);
    }
    config
}

/// True when the network has a head of its own.
pub(super) fn has_head(lm: &CausalLm) -> bool {
    match lm {
        CausalLm::Gpt2(gpt2) => gpt2.head.is_some(),
        CausalLm::GptNeox(neox) => neox.head.is_some(),
        CausalLm::Llama(llama) => llama.head.is_some(),
        CausalLm::Gemma2(gemma) => gemma.head.is_some(),
        CausalLm::Recurrent(recurrent) => recurrent.head.is_some(),
        CausalLm::FeedForward(network) => network.head.is_some(),
    }
}

/// Takes note that a shape has a head of its own, whatever its settings say.
pub(in crate::load) fn untie(config: &mut TextConfig) {
    set_tied(config, false);
}

/// Takes note whether the embeddings of a shape are its head.
pub(super) fn set_tied(config: &mut TextConfig, tied: bool) {
    match config {
        TextConfig::Gpt2(config) => config.tied = tied,
        TextConfig::GptNeox(config) => config.tied = tied,
        TextConfig::Llama(config) => config.tied = tied,
        TextConfig::Gemma2(config) => config.tied = tied,
        TextConfig::Recurrent(config) => config.tied = tied,
        TextConfig::FeedForward(config) => config.tied = tied,
    }
}

/// Takes note that a shape has no head of its own: the body of a classifier has none, whatever its settings say.
pub(super) fn tie(config: &mut TextConfig) {
    set_tied(config, true);
}

/// Drops the head that a network has of its own.
pub(super) fn drop_head(lm: &mut CausalLm) {
    match lm {
        CausalLm::Gpt2(gpt2) => gpt2.head = None,
        CausalLm::GptNeox(neox) => neox.head = None,
        CausalLm::Llama(llama) => llama.head = None,
        CausalLm::Gemma2(gemma) => gemma.head = None,
        CausalLm::Recurrent(recurrent) => recurrent.head = None,
        CausalLm::FeedForward(network) => network.head = None,
    }
}

/// Every tensor under its name in the file.
pub(in crate::load) fn stored_tensors(lm: &CausalLm) -> Vec<(String, StoredTensor)> {
    match lm {
        CausalLm::Gpt2(gpt2) => gpt2_weights::write(gpt2),
        CausalLm::GptNeox(neox) => gpt_neox_weights::write(neox),
        CausalLm::Llama(llama) => llama_weights::write(llama),
        CausalLm::Gemma2(gemma) => gemma2_weights::write(gemma),
        CausalLm::Recurrent(recurrent) => recurrent_weights::write(recurrent),
        CausalLm::FeedForward(network) => recurrent_weights::write_feed_forward(network),
    }
}

/// Every matrix under its module's name.
pub(in crate::load) fn matrices(lm: &mut CausalLm) -> Vec<Matrix<'_>> {
    match lm {
        CausalLm::Gpt2(gpt2) => gpt2_weights::matrices(gpt2),
        CausalLm::GptNeox(neox) => gpt_neox_weights::matrices(neox),
        CausalLm::Llama(llama) => llama_weights::matrices(llama),
        CausalLm::Gemma2(gemma) => gemma2_weights::matrices(gemma),
        CausalLm::Recurrent(recurrent) => recurrent_weights::matrices(recurrent),
        CausalLm::FeedForward(network) => recurrent_weights::feed_forward_matrices(network),
    }
}

impl Family for Gpt2Config {
    fn json(&self) -> Value {
        gpt2::json(self)
    }

    fn read(&self, weights: &mut Weights<'_>) -> Result<CausalLm, LoadError> {
        gpt2_weights::read(self, weights).map(CausalLm::Gpt2)
    }

    fn is_harmless(&self, name: &str) -> bool {
        gpt2_weights::is_harmless(name, self.tied)
    }

    fn tied(&self) -> bool {
        self.tied
    }

    fn parameters(&self) -> u64 {
        let Self { vocabulary, context, hidden, layers, heads, intermediate, .. } = *self;
        Blocks { hidden, layers, heads, kv_heads: heads, head_dim: hidden / heads, mlp: 2, intermediate }
            .parameters(vocabulary, self.tied, context)
    }

    fn tokenizer_class(&self) -> UsualClass {
        UsualClass::unless_named(TokenizerClass::Gpt2)
    }
}

impl Family for GptNeoxConfig {
    fn json(&self) -> Value {
        gpt_neox::json(self)
    }

    fn read(&self, weights: &mut Weights<'_>) -> Result<CausalLm, LoadError> {
        gpt_neox_weights::read(self, weights).map(CausalLm::GptNeox)
    }

    fn is_harmless(&self, name: &str) -> bool {
        gpt_neox_weights::is_harmless(name, self.tied)
    }

    fn tied(&self) -> bool {
        self.tied
    }

    fn parameters(&self) -> u64 {
        let Self { vocabulary, hidden, layers, heads, intermediate, .. } = *self;
        Blocks { hidden, layers, heads, kv_heads: heads, head_dim: hidden / heads, mlp: 2, intermediate }
            .parameters(vocabulary, self.tied, 0)
    }

    fn tokenizer_class(&self) -> UsualClass {
        UsualClass::unless_named(TokenizerClass::GptNeox)
    }
}

impl Family for LlamaConfig {
    fn json(&self) -> Value {
        llama::json(self)
    }

    fn read(&self, weights: &mut Weights<'_>) -> Result<CausalLm, LoadError> {
        llama_weights::read(self, weights).map(CausalLm::Llama)
    }

    fn is_harmless(&self, name: &str) -> bool {
        llama_weights::is_harmless(name, self.tied)
    }

    fn tied(&self) -> bool {
        self.tied
    }

    fn parameters(&self) -> u64 {
        let Self { vocabulary, hidden, layers, heads, kv_heads, head_dim, intermediate, .. } = *self;
        Blocks { hidden, layers, heads, kv_heads, head_dim, mlp: 3, intermediate }.parameters(vocabulary, self.tied, 0)
    }

    fn tokenizer_class(&self) -> UsualClass {
        let class = match self.family {
            LlamaFamily::Llama => TokenizerClass::Llama,
            LlamaFamily::Mistral => TokenizerClass::Plain,
            LlamaFamily::Qwen2 | LlamaFamily::Qwen3 => TokenizerClass::Qwen2,
        };
        // Mistral's and Qwen 2's folders are known to name classes that are not theirs.
        UsualClass { class, always: matches!(self.family, LlamaFamily::Mistral | LlamaFamily::Qwen2) }
    }
}

impl Family for Gemma2Config {
    fn json(&self) -> Value {
        gemma2::json(self)
    }

    fn read(&self, weights: &mut Weights<'_>) -> Result<CausalLm, LoadError> {
        gemma2_weights::read(self, weights).map(CausalLm::Gemma2)
    }

    fn is_harmless(&self, name: &str) -> bool {
        gemma2_weights::is_harmless(name, self.tied)
    }

    fn tied(&self) -> bool {
        self.tied
    }

    fn parameters(&self) -> u64 {
        let Self { vocabulary, hidden, layers, heads, kv_heads, head_dim, intermediate, .. } = *self;
        Blocks { hidden, layers, heads, kv_heads, head_dim, mlp: 3, intermediate }.parameters(vocabulary, self.tied, 0)
    }

    fn tokenizer_class(&self) -> UsualClass {
        UsualClass::unless_named(TokenizerClass::Plain)
    }
}

impl Family for RecurrentConfig {
    fn json(&self) -> Value {
        recurrent::json(self)
    }

    fn read(&self, weights: &mut Weights<'_>) -> Result<CausalLm, LoadError> {
        recurrent_weights::read(self, weights).map(CausalLm::Recurrent)
    }

    fn is_harmless(&self, name: &str) -> bool {
        recurrent_weights::is_harmless(name, self.tied)
    }

    fn tied(&self) -> bool {
        self.tied
    }

    fn parameters(&self) -> u64 {
        self.parameters()
    }

    fn tokenizer_class(&self) -> UsualClass {
        UsualClass::unless_named(TokenizerClass::Plain)
    }
}

impl Family for FeedForwardConfig {
    fn json(&self) -> Value {
        recurrent::feed_forward_json(self)
    }

    fn read(&self, weights: &mut Weights<'_>) -> Result<CausalLm, LoadError> {
        recurrent_weights::read_feed_forward(self, weights).map(CausalLm::FeedForward)
    }

    fn is_harmless(&self, name: &str) -> bool {
        recurrent_weights::is_harmless(name, self.tied)
    }

    fn tied(&self) -> bool {
        self.tied
    }

    fn parameters(&self) -> u64 {
        self.parameters()
    }

    fn tokenizer_class(&self) -> UsualClass {
        UsualClass::unless_named(TokenizerClass::Plain)
    }
}
