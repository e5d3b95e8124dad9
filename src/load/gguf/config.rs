//! The settings of a file as the fields of Hugging Face's config.json, with llama.cpp's values where a file has none.

use super::family::Family;
use super::header::GgufFile;
use super::metadata::{Metadata, Value};
use super::rope;
use crate::load::error::LoadError;
use crate::load::fields::Fields;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const ARCHITECTURE: &str = "general.architecture";
const TYPE: &str = "general.type";
/// Blocks of the largest Gemma 2, which scales its queries in a way of its own.
const BLOCKS_OF_27B: u64 = 46;
/// Gemma 2's window and bounds where a file has none.
const GEMMA2_WINDOW: u64 = 4096;
const GEMMA2_SOFTCAPS: [f64; 2] = [50.0, 30.0];

/// The settings of a model, by the names that files of its architecture have for them.
pub(super) struct Settings<'a> {
    files: &'a [Arc<GgufFile>],
    pub(super) metadata: &'a Metadata,
    architecture: &'a str,
    /// Fields of config.json.
    fields: Map<String, Json>,
    /// The settings that they were made of.
    names: BTreeMap<String, String>,
}

/// What the files call their architecture.
pub(super) fn architecture(metadata: &Metadata) -> Result<&str, LoadError> {
    metadata.text(ARCHITECTURE)?.ok_or_else(|| metadata.wrong(ARCHITECTURE, "is missing"))
}

/// The fields that config.json of the same model has. Of an architecture that is not run, those that all have.
pub(super) fn fields(files: &[Arc<GgufFile>]) -> Result<Fields, LoadError> {
    let metadata = &files[0].header.metadata;
    if let Some(other) = metadata.text(TYPE)?.filter(|kind| *kind != "model") {
        return Err(metadata.unsupported(TYPE, &other, "a file that holds a whole model"));
    }
    let architecture = architecture(metadata)?;
    let mut settings = Settings { files, metadata, architecture, fields: Map::new(), names: BTreeMap::new() };
    match Family::named(architecture) {
        Some(family) => settings.read(family)?,
        None => settings.read_any()?,
    }
    let Settings { fields, names, .. } = settings;
    Ok(Fields::made(&files[0].path, fields, names))
}

impl Settings<'_> {
    /// The full name of a setting of this architecture.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    /// The rows and columns of a tensor.
    fn shape(&self, tensor: &str) -> Option<&[usize]> {
        let tensors = self.files.iter().flat_map(|file| &file.header.tensors);
        tensors.into_iter().find(|known| known.name == tensor).map(|known| known.shape.as_slice())
    }

    fn has(&self, tensor: &str) -> bool {
        self.shape(tensor).is_some()
    }

    fn put(&mut self, field: &str, value: impl Into<Json>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    /// A whole number; a list of one for each block counts as one number where they are the same.
    pub(super) fn whole(&self, name: &str) -> Result<Option<u64>, LoadError> {
        let key = self.key(name);
        if !matches!(self.metadata.value(&key), Some(Value::List(_))) {
            return self.metadata.whole(&key);
        }
        let all = self.metadata.numbers(&key, &self.files[0].map)?.unwrap_or_default();
        let first = all.first().copied().unwrap_or_default();
        match all.iter().all(|number| *number == first) {
            true => Ok(Some(first as u64)),
            false => Err(self.metadata.unsupported(&key, &"another number for each block", "the same for all blocks")),
        }
    }

    /// A field that is a whole number.
    fn count(&mut self, field: &str, name: &str) -> Result<Option<u64>, LoadError> {
        self.names.insert(field.to_owned(), self.key(name));
        let value = self.whole(name)?;
        if let Some(value) = value {
            self.put(field, value);
        }
        Ok(value)
    }

    /// A field that is a fraction.
    fn number(&mut self, field: &str, name: &str) -> Result<Option<f64>, LoadError> {
        self.names.insert(field.to_owned(), self.key(name));
        let value = self.metadata.number(&self.key(name))?;
        if let Some(value) = value {
            self.put(field, value);
        }
        Ok(value)
    }

    /// What every model has, under the names that most config.json have for it.
    fn read_any(&mut self) -> Result<(), LoadError> {
        self.put("model_type", self.architecture);
        self.vocabulary()?;
        for (field, name) in [
            ("max_position_embeddings", "context_length"),
            ("hidden_size", "embedding_length"),
            ("num_hidden_layers", "block_count"),
            ("num_attention_heads", "attention.head_count"),
            ("num_key_value_heads", "attention.head_count_kv"),
            ("head_dim", "attention.key_length"),
            ("intermediate_size", "feed_forward_length"),
        ] {
            if !matches!(self.metadata.value(&self.key(name)), Some(Value::List(_))) {
                self.count(field, name)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, family: Family) -> Result<(), LoadError> {
        self.put("model_type", family.architecture().model_type().unwrap_or_default());
        self.put("architectures", json!([family.architecture().config_name()]));
        self.refuse_what_is_not_computed()?;
        self.vocabulary()?;
        self.tokens()?;
        match family {
            Family::Gpt2 => self.gpt2(),
            Family::GptNeox => self.gpt_neox(),
            Family::Bert => self.bert(),
            Family::Llama | Family::Qwen2 | Family::Qwen3 | Family::Gemma2 => self.llama(family),
        }
    }

    fn refuse_what_is_not_computed(&self) -> Result<(), LoadError> {
        // The value that changes nothing.
        let usual = [
            ("expert_count", 0.0),
            ("attention.clamp_kqv", 0.0),
            ("attention.max_alibi_bias", 0.0),
            ("attention.scale", 0.0),
            ("logit_scale", 1.0),
            ("residual_scale", 1.0),
            ("embedding_scale", 1.0),
        ];
        for (name, nothing) in usual {
            let key = self.key(name);
            if let Some(value) = self.metadata.number(&key)?.filter(|value| *value != nothing && *value != 0.0) {
                return Err(self.metadata.unsupported(&key, &value, &nothing.to_string()));
            }
        }
        Ok(())
    }

    /// The rows of the token embedding: what the settings say may count tokens that have none.
    fn vocabulary(&mut self) -> Result<(), LoadError> {
        let rows = self.shape("token_embd.weight").and_then(|shape| shape.first().copied());
        self.names.insert("vocab_size".to_owned(), self.key("vocab_size"));
        let listed = self.metadata.list("tokenizer.ggml.tokens")?.map(|tokens| tokens.count as u64);
        let said = self.metadata.whole(&self.key("vocab_size"))?.or(listed);
        if let Some(size) = rows.map(|rows| rows as u64).or(said) {
            self.put("vocab_size", size);
        }
        Ok(())
    }

    /// Ids of special tokens. What ends a turn or a message ends a text, too.
    fn tokens(&mut self) -> Result<(), LoadError> {
        let id = |role: &str| self.metadata.whole(&format!("tokenizer.ggml.{role}_token_id"));
        let mut ends: Vec<u64> = Vec::new();
        for role in ["eos", "eot", "eom"] {
            ends.extend(id(role)?.filter(|id| !ends.contains(id)));
        }
        let (first, padding) = (id("bos")?, id("padding")?);
        self.put("bos_token_id", json!(first));
        self.put("eos_token_id", json!(ends));
        self.put("pad_token_id", json!(padding));
        Ok(())
    }

    fn tied(&mut self) {
        self.put("tie_word_embeddings", !self.has("output.weight"));
    }

    fn llama(&mut self, family: Family) -> Result<(), LoadError> {
        let context = self.count("max_position_embeddings", "context_length")?;
        let hidden = self.count("hidden_size", "embedding_length")?.unwrap_or_default();
        let blocks = self.count("num_hidden_layers", "block_count")?;
        let heads = self.count("num_attention_heads", "attention.head_count")?.unwrap_or_default();
        if self.count("num_key_value_heads", "attention.head_count_kv")?.is_none() {
            self.put("num_key_value_heads", heads);
        }
        self.count("intermediate_size", "feed_forward_length")?;
        self.number("rms_norm_eps", "attention.layer_norm_rms_epsilon")?;
        let width = match self.count("head_dim", "attention.key_length")? {
            Some(width) => width,
            None => hidden.checked_div(heads).unwrap_or_default(),
        };
        self.put("head_dim", width);
        for name in ["attention.value_length", "rope.dimension_count"] {
            if let Some(other) = self.whole(name)?.filter(|other| *other != width) {
                return Err(self.metadata.unsupported(
                    &self.key(name),
                    &other,
                    &format!("{width}, the width of a head"),
                ));
            }
        }
        self.rope(width, context)?;
        self.tied();
        match family {
            Family::Gemma2 => self.gemma2(blocks, hidden.checked_div(heads).unwrap_or_default(), width)?,
            Family::Llama => {
                self.put("attention_bias", self.has("blk.0.attn_q.bias"));
                self.put("mlp_bias", self.has("blk.0.ffn_up.bias"));
                if let Some(window) = self.whole("attention.sliding_window")?.filter(|window| *window > 0) {
                    self.put("model_type", "mistral");
                    self.put("architectures", json!(["MistralForCausalLM"]));
                    self.put("sliding_window", window);
                }
            }
            Family::Qwen2 | Family::Qwen3 => self.put("use_sliding_window", false),
            Family::Gpt2 | Family::GptNeox | Family::Bert => {}
        }
        Ok(())
    }

    fn gemma2(&mut self, blocks: Option<u64>, share: u64, width: u64) -> Result<(), LoadError> {
        let scalar = if blocks == Some(BLOCKS_OF_27B) { share } else { width };
        self.put("query_pre_attn_scalar", scalar);
        let names = ["attn_logit_softcapping", "final_logit_softcapping"];
        for (name, usual) in names.into_iter().zip(GEMMA2_SOFTCAPS) {
            match self.number(name, name)? {
                None => self.put(name, usual),
                // No bound at all.
                Some(0.0) => self.put(name, Json::Null),
                Some(_) => {}
            }
        }
        if self.count("sliding_window", "attention.sliding_window")?.is_none() {
            self.put("sliding_window", GEMMA2_WINDOW);
        }
        Ok(())
    }

    fn gpt2(&mut self) -> Result<(), LoadError> {
        self.count("n_positions", "context_length")?;
        self.count("n_embd", "embedding_length")?;
        self.count("n_layer", "block_count")?;
        self.count("n_head", "attention.head_count")?;
        self.count("n_inner", "feed_forward_length")?;
        self.number("layer_norm_epsilon", "attention.layer_norm_epsilon")?;
        // Older files hold the embedding a second time, as a head; one that differs counts all the same.
        self.put("tie_word_embeddings", true);
        Ok(())
    }

    fn gpt_neox(&mut self) -> Result<(), LoadError> {
        let context = self.count("max_position_embeddings", "context_length")?;
        let hidden = self.count("hidden_size", "embedding_length")?.unwrap_or_default();
        self.count("num_hidden_layers", "block_count")?;
        let heads = self.count("num_attention_heads", "attention.head_count")?.unwrap_or_default();
        self.count("intermediate_size", "feed_forward_length")?;
        self.number("layer_norm_eps", "attention.layer_norm_epsilon")?;
        let width = hidden.checked_div(heads).unwrap_or_default();
        let turned = self.whole("rope.dimension_count")?.unwrap_or(width);
        // The share, rounded so that it gives this width again.
        let share = turned as f64 / width.max(1) as f64;
        self.names.insert("rotary_pct".to_owned(), self.key("rope.dimension_count"));
        self.put("rotary_pct", if (share * width as f64) as u64 == turned { share } else { share.next_up() });
        let parallel = self.metadata.flag(&self.key("use_parallel_residual"))?;
        self.put("use_parallel_residual", parallel.unwrap_or(true));
        self.put("attention_bias", self.has("blk.0.attn_qkv.bias"));
        self.tied();
        self.rope(turned, context)
    }

    fn bert(&mut self) -> Result<(), LoadError> {
        if self.metadata.flag(&self.key("attention.causal"))? == Some(true) {
            return Err(self.metadata.unsupported(&self.key("attention.causal"), &true, "false"));
        }
        self.count("max_position_embeddings", "context_length")?;
        for (field, table) in [("max_position_embeddings", "position_embd"), ("type_vocab_size", "token_types")] {
            let rows = self.shape(&format!("{table}.weight")).and_then(|shape| shape.first().copied());
            if let Some(rows) = rows {
                self.put(field, rows);
            }
        }
        self.count("hidden_size", "embedding_length")?;
        self.count("num_hidden_layers", "block_count")?;
        self.count("num_attention_heads", "attention.head_count")?;
        self.count("intermediate_size", "feed_forward_length")?;
        self.number("layer_norm_eps", "attention.layer_norm_epsilon")?;
        Ok(())
    }

    /// Rotary positions of heads of which `width` values turn.
    fn rope(&mut self, width: u64, context: Option<u64>) -> Result<(), LoadError> {
        self.number("rope_theta", "rope.freq_base")?;
        let theta = self.fields.get("rope_theta").and_then(Json::as_f64).unwrap_or(rope::THETA);
        self.put("rope_theta", theta);
        if let Some(scaling) = rope::scaling(self, self.files, width, theta, context)? {
            self.put("rope_scaling", scaling);
        }
        Ok(())
    }
}
