//! Names of tensors: what llama.cpp calls them, what Hugging Face's files call them, and what differs in how they lie.
//!
//! The differences are those of llama.cpp's converter: queries and keys of Llamas are put in the order in which its rotation
//! wants them, GPT-NeoX's projection is sorted by kind, GPT-2's matrices are turned, Gemma's gains are written as they are used.

use super::family::Family;
use crate::load::tensors::arrangement::Arrangement;

/// How the names of a model are written, each way.
#[derive(Clone, Copy, Debug)]
pub(in crate::load) struct Names {
    /// `None` for an architecture that is not known: its names stay.
    pub(in crate::load) family: Option<Family>,
    pub(in crate::load) heads: usize,
    pub(in crate::load) kv_heads: usize,
}

/// Names within a block, theirs and ours.
type Pairs = &'static [(&'static str, &'static str)];

const LLAMA: Pairs = &[
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];
const GEMMA2: Pairs = &[
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("post_attention_norm", "post_attention_layernorm"),
    ("ffn_norm", "pre_feedforward_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
    ("post_ffw_norm", "post_feedforward_layernorm"),
];
const GPT2: Pairs = &[
    ("attn_norm", "ln_1"),
    ("attn_qkv", "attn.c_attn"),
    ("attn_output", "attn.c_proj"),
    ("ffn_norm", "ln_2"),
    ("ffn_up", "mlp.c_fc"),
    ("ffn_down", "mlp.c_proj"),
];
const GPT_NEOX: Pairs = &[
    ("attn_norm", "input_layernorm"),
    ("attn_qkv", "attention.query_key_value"),
    ("attn_output", "attention.dense"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_up", "mlp.dense_h_to_4h"),
    ("ffn_down", "mlp.dense_4h_to_h"),
];
const BERT: Pairs = &[
    ("attn_q", "attention.self.query"),
    ("attn_k", "attention.self.key"),
    ("attn_v", "attention.self.value"),
    ("attn_output", "attention.output.dense"),
    ("attn_output_norm", "attention.output.LayerNorm"),
    ("ffn_up", "intermediate.dense"),
    ("ffn_down", "output.dense"),
    ("layer_output_norm", "output.LayerNorm"),
];

/// The tensors outside of blocks.
fn outside(family: Family) -> Pairs {
    match family {
        Family::Llama | Family::Qwen2 | Family::Qwen3 | Family::Gemma2 => {
            &[("token_embd", "model.embed_tokens"), ("output_norm", "model.norm"), ("output", "lm_head")]
        }
        Family::Gpt2 => &[
            ("token_embd", "transformer.wte"),
            ("position_embd", "transformer.wpe"),
            ("output_norm", "transformer.ln_f"),
            ("output", "lm_head"),
        ],
        Family::GptNeox => &[
            ("token_embd", "gpt_neox.embed_in"),
            ("output_norm", "gpt_neox.final_layer_norm"),
            ("output", "embed_out"),
        ],
        Family::Bert => &[
            ("token_embd", "embeddings.word_embeddings"),
            ("position_embd", "embeddings.position_embeddings"),
            ("token_types", "embeddings.token_type_embeddings"),
            ("token_embd_norm", "embeddings.LayerNorm"),
        ],
    }
}

/// What stands before the number of a block, and the names within.
fn inside(family: Family) -> (&'static str, Pairs) {
    match family {
        Family::Llama | Family::Qwen2 | Family::Qwen3 => ("model.layers.", LLAMA),
        Family::Gemma2 => ("model.layers.", GEMMA2),
        Family::Gpt2 => ("transformer.h.", GPT2),
        Family::GptNeox => ("gpt_neox.layers.", GPT_NEOX),
        Family::Bert => ("encoder.layer.", BERT),
    }
}

/// Tables of rotary frequencies, which are no weights. Those of `rope_freqs` are read with the settings.
pub(super) const ROPE_FREQUENCIES: &str = "rope_freqs.weight";
const NO_WEIGHTS: [&str; 2] = [ROPE_FREQUENCIES, ".attn_rot_embd"];

impl Names {
    /// Our name of a tensor, and how it lies in the file; `None` for what is no weight.
    pub(super) fn of(&self, theirs: &str) -> Option<(String, Arrangement)> {
        if NO_WEIGHTS.iter().any(|end| theirs.ends_with(end) || theirs.contains(&format!("{end}."))) {
            return None;
        }
        let Some(family) = self.family else { return Some((theirs.to_owned(), Arrangement::AsNamed)) };
        let unknown = || Some((theirs.to_owned(), Arrangement::AsNamed));
        let Some((stem, kind)) = theirs.rsplit_once('.') else { return unknown() };
        let found = |pairs: Pairs, stem: &str| pairs.iter().find(|(name, _)| *name == stem).map(|(_, ours)| *ours);
        let Some((number, part)) = stem.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) else {
            let Some(ours) = found(outside(family), stem) else { return unknown() };
            return Some((format!("{ours}.{kind}"), self.arrangement(family, stem, kind)));
        };
        let (before, pairs) = inside(family);
        match found(pairs, part) {
            Some(ours) => Some((format!("{before}{number}.{ours}.{kind}"), self.arrangement(family, part, kind))),
            None => unknown(),
        }
    }

    /// Their name of one of our tensors, and how it is to lie in the file; `None` for what they have no name for.
    pub(in crate::load) fn back(&self, ours: &str) -> Option<(String, Arrangement)> {
        let family = self.family?;
        let (stem, kind) = ours.rsplit_once('.')?;
        let found = |pairs: Pairs, stem: &str| pairs.iter().find(|(_, name)| *name == stem).map(|(theirs, _)| *theirs);
        if let Some(theirs) = found(outside(family), stem) {
            return Some((format!("{theirs}.{kind}"), self.arrangement(family, theirs, kind)));
        }
        let (before, pairs) = inside(family);
        let (number, part) = stem.strip_prefix(before)?.split_once('.')?;
        let theirs = found(pairs, part)?;
        Some((format!("blk.{number}.{theirs}.{kind}"), self.arrangement(family, theirs, kind)))
    }

    fn arrangement(&self, family: Family, part: &str, kind: &str) -> Arrangement {
        match (family, part) {
            (Family::Llama, "attn_q") => Arrangement::PairedRows { heads: self.heads },
            (Family::Llama, "attn_k") => Arrangement::PairedRows { heads: self.kv_heads },
            (Family::GptNeox, "attn_qkv") => Arrangement::RowsByKind { heads: self.heads },
            (Family::Gpt2, "attn_qkv" | "attn_output" | "ffn_up" | "ffn_down") if kind == "weight" => {
                Arrangement::Turned
            }
            (Family::Gemma2, _) if part.ends_with("norm") && kind == "weight" => Arrangement::AroundOne,
            _ => Arrangement::AsNamed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(family: Family) -> Names {
        Names { family: Some(family), heads: 4, kv_heads: 2 }
    }

    #[test]
    fn every_name_leads_back() {
        for family in Family::ALL {
            let names = names(family);
            let (_, pairs) = inside(family);
            let within = pairs.iter().map(|(theirs, _)| format!("blk.11.{theirs}.weight"));
            let outside = outside(family).iter().map(|(theirs, _)| format!("{theirs}.weight"));
            for theirs in within.chain(outside) {
                let (ours, arrangement) = names.of(&theirs).unwrap();
                assert_ne!(ours, theirs);
                assert_eq!(names.back(&ours), Some((theirs, arrangement)), "{family:?}");
            }
        }
    }

    #[test]
    fn only_what_differs_is_rearranged() {
        let of = |family, name: &str| names(family).of(name).unwrap().1;
        assert_eq!(of(Family::Llama, "blk.0.attn_k.weight"), Arrangement::PairedRows { heads: 2 });
        assert_eq!(of(Family::Llama, "blk.0.attn_q.bias"), Arrangement::PairedRows { heads: 4 });
        assert_eq!(of(Family::Qwen2, "blk.0.attn_k.weight"), Arrangement::AsNamed);
        assert_eq!(of(Family::Gemma2, "output_norm.weight"), Arrangement::AroundOne);
        assert_eq!(of(Family::Gpt2, "blk.0.ffn_up.bias"), Arrangement::AsNamed);
        assert_eq!(names(Family::Llama).of("rope_freqs.weight"), None);
        assert_eq!(names(Family::Llama).of("blk.3.ffn_gate_exps.weight").unwrap().0, "blk.3.ffn_gate_exps.weight");
    }
}
