//! The model card of a folder: config.json, the headers of the weights, README.md. No tensor is read.
//!
//! It describes models of any architecture, those that Fovea cannot run as well, so the fields are looked up under every
//! name that Hugging Face's configurations use for them.

use crate::load::classifier::class_settings::CLASSIFIER;
use crate::load::error::LoadError;
use crate::load::source::{ModelSource, source};
use crate::load::tensors::tensor_table::tensors_of;
use crate::load::text::config::architecture;
use crate::types::{Architecture, ModelCard, ModelKind, Precision, TensorEntry, TypeShare, printable};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Reads the card of a folder.
///
/// # Errors
/// When the folder has no readable config.json. Weights that cannot be listed are told in the card itself.
pub fn read_card(dir: &Path) -> Result<ModelCard, LoadError> {
    let source = source(dir);
    let fields = source.config()?;
    let architecture = architecture(&fields).ok();
    let named = fields.value("architectures").and_then(|v| v.get(0)).and_then(Value::as_str);
    let model_type = fields.value("model_type").and_then(Value::as_str).unwrap_or_default();
    let architecture_name = named.or(architecture.map(Architecture::config_name)).unwrap_or(model_type).to_owned();
    let number = |names: &[&str]| names.iter().find_map(|name| fields.value(name).and_then(Value::as_u64));
    let (hidden, heads) =
        (number(&["hidden_size", "n_embd", "dim"]), number(&["num_attention_heads", "n_head", "n_heads"]));
    let head_dim = number(&["head_dim"]).or_else(|| hidden?.checked_div(heads?));
    let has_head = ["ForCausalLM", "LMHeadModel", "ForMaskedLM", "ForPreTraining"];
    // A head for classes stands in the place of one for tokens.
    let is_classifier = architecture_name.ends_with(CLASSIFIER);
    let has_head = !is_classifier
        && (has_head.iter().any(|ending| architecture_name.ends_with(ending))
            || architecture.is_some_and(|known| known.kind() == ModelKind::CausalLm));
    let is_causal = match architecture {
        Some(known) => known.kind() == ModelKind::CausalLm,
        None => architecture_name.ends_with("ForCausalLM") || architecture_name.ends_with("LMHeadModel"),
    };
    let (tensors, unreadable) = match tensors_of(&*source) {
        Ok(tensors) => (Some(tensors), None),
        Err(error) => (None, Some(printable(&format!("{error}.")).into_owned())),
    };
    let counted = tensors.as_deref().map(|tensors| {
        let tied = has_head && fields.flag("tie_word_embeddings", is_tied_by_default(model_type)).unwrap_or(false);
        // A head of its own counts, whatever config.json says.
        let tied = tied && !differ(&*source, tensors);
        count(tensors, has_head, tied)
    });
    // RoBERTa's first position is the one after the padding token's id.
    let unused = if model_type == "roberta" { 1 + number(&["pad_token_id"]).unwrap_or(1) } else { 0 };
    let context = number(&["max_position_embeddings", "n_positions"]).map(|n| n.saturating_sub(unused));
    Ok(ModelCard {
        name: source.name(),
        path: dir.to_owned(),
        architecture_name: printable(&architecture_name).into_owned(),
        architecture,
        parameters: counted.as_ref().map(|c| c.parameters),
        matmul_parameters: counted.as_ref().map(|c| c.matmul),
        precision: tensors.as_deref().and_then(precision),
        types: tensors.as_deref().map(types).unwrap_or_default(),
        layers: number(&["num_hidden_layers", "n_layer", "n_layers"]),
        heads,
        kv_heads: number(&["num_key_value_heads"]).or(heads),
        head_dim,
        hidden,
        intermediate: number(&["intermediate_size", "n_inner", "hidden_dim"])
            .or_else(|| (model_type == "gpt2").then_some(4 * hidden?)),
        context: context.or_else(|| patches(tensors.as_deref()?)),
        vocabulary: number(&["vocab_size"]),
        is_causal,
        has_chat_template: source.has_chat_template(),
        text: source.text(),
        licence: source.licence().map(|licence| printable(&licence).into_owned()),
        files: source.files(),
        unreadable,
    })
}

/// True when the files hold a head and a token embedding that are not the same.
fn differ(source: &dyn ModelSource, tensors: &[TensorEntry]) -> bool {
    let (head, embedding) =
        (tensors.iter().find(|t| is_head(&t.name)), tensors.iter().find(|t| is_token_embedding(&t.name)));
    let (Some(head), Some(embedding)) = (head, embedding) else { return false };
    let Ok(files) = source.weights() else { return false };
    let Ok((containers, _)) = files.containers() else { return false };
    let find = |name: &str| containers.iter().find_map(|container| container.tensor(name).ok()?);
    find(&head.name).zip(find(&embedding.name)).is_some_and(|(a, b)| !a.is_same(&b))
}

/// Tokens of a picture, by the table of their positions `[1, T, D]`.
fn patches(tensors: &[TensorEntry]) -> Option<u64> {
    let table = tensors.iter().find(|t| t.name.ends_with("embeddings.position_embeddings") && t.shape.len() == 3)?;
    Some(table.shape[1] as u64)
}

/// What transformers assumes when `tie_word_embeddings` is not written.
fn is_tied_by_default(model_type: &str) -> bool {
    !matches!(model_type, "llama" | "mistral" | "qwen2" | "qwen3" | "gpt_neox") && !model_type.starts_with("fovea_")
}

#[derive(Debug, PartialEq, Eq)]
struct Counted {
    parameters: u64,
    matmul: u64,
}

/// Counts weights: a tied head once as a parameter, and as a matrix that every token is multiplied with.
fn count(tensors: &[TensorEntry], has_head: bool, tied: bool) -> Counted {
    let size = |t: &TensorEntry| t.shape.iter().map(|n| *n as u64).product::<u64>();
    let weights: Vec<&TensorEntry> = tensors.iter().filter(|t| is_weight(t)).collect();
    let head = weights.iter().find(|t| is_head(&t.name)).map(|t| size(t));
    let embedding = weights.iter().find(|t| is_token_embedding(&t.name)).map(|t| size(t));
    let mut parameters: u64 = weights.iter().map(|t| size(t)).sum();
    let matrices = weights.iter().filter(|t| t.shape.len() >= 2 && !is_embedding(&t.name) && !is_once(&t.name));
    let mut matmul: u64 = matrices.map(|t| size(t)).sum();
    match (head, embedding) {
        // Stored twice, as some files do.
        (Some(head), Some(_)) if tied => parameters -= head,
        // Stored once, under the name of the embedding, and used as the head too.
        (None, Some(embedding)) if has_head => matmul += embedding,
        _ => {}
    }
    Counted { parameters, matmul }
}

/// False for what files carry along that nobody learns: causal masks, positions, rotation frequencies.
fn is_weight(tensor: &TensorEntry) -> bool {
    let name = tensor.name.as_str();
    let is_mask = (name.ends_with(".attn.bias") || name.ends_with(".attention.bias")) && tensor.shape.len() == 4;
    let others = ["masked_bias", "inv_freq", "position_ids"];
    is_number(&tensor.dtype) && !is_mask && !others.iter().any(|other| name.ends_with(other))
}

fn is_head(name: &str) -> bool {
    let heads = [
        "lm_head.weight",
        "embed_out.weight",
        "lm_head.decoder.weight",
        "cls.predictions.decoder.weight",
        "vocab_projector.weight",
        "head.weight",
    ];
    heads.contains(&name)
}

fn is_token_embedding(name: &str) -> bool {
    let parts = ["wte", "embed_tokens", "embed_in", "word_embeddings", "embedding"];
    name.strip_suffix(".weight").and_then(|name| name.rsplit('.').next()).is_some_and(|part| parts.contains(&part))
}

/// Tables that are looked up instead of multiplied with. Patches of a picture are multiplied with.
fn is_embedding(name: &str) -> bool {
    is_token_embedding(name)
        || name.ends_with("wpe.weight")
        || (name.contains("embeddings") && !name.contains("patch_embeddings"))
}

/// Matrices that see one vector for the whole sequence, not every token.
fn is_once(name: &str) -> bool {
    name.contains("pooler.") || name.contains("classifier.") || name.contains("seq_relationship")
}

/// What tensors of each element type take, the type of most bytes first.
fn types(tensors: &[TensorEntry]) -> Vec<TypeShare> {
    let mut shares: BTreeMap<&str, TypeShare> = BTreeMap::new();
    for tensor in tensors {
        let none = || TypeShare { name: printable(&tensor.dtype).into_owned(), tensors: 0, bytes: 0 };
        let share = shares.entry(&tensor.dtype).or_insert_with(none);
        share.tensors += 1;
        share.bytes += tensor.bytes;
    }
    let mut shares: Vec<TypeShare> = shares.into_values().collect();
    shares.sort_by_key(|share| std::cmp::Reverse(share.bytes));
    shares
}

/// The element type that most bytes of weights have, where models are computed in it.
fn precision(tensors: &[TensorEntry]) -> Option<Precision> {
    let weights: Vec<TensorEntry> = tensors.iter().filter(|tensor| is_number(&tensor.dtype)).cloned().collect();
    match types(&weights).first()?.name.as_str() {
        "F32" => Some(Precision::F32),
        "F16" => Some(Precision::F16),
        "BF16" => Some(Precision::Bf16),
        _ => None,
    }
}

/// True for element types of weights: all but whole numbers and flags.
fn is_number(dtype: &str) -> bool {
    const NO_NUMBERS: [&str; 9] = ["I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64", "BOOL"];
    !NO_NUMBERS.contains(&dtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(path: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }

    #[test]
    fn the_shipped_model_has_the_figures_of_its_card() {
        let card = read_card(&root("models/sprout")).unwrap();
        assert_eq!((card.name.as_str(), card.architecture), ("sprout", Some(Architecture::Llama)));
        assert_eq!(card.parameters, Some(1_000_576));
        // All but the norms and the embedding, which comes back as the head.
        let norms = 128 * (2 * 4 + 1);
        assert_eq!(card.matmul_parameters, Some(1_000_576 - norms));
        assert_eq!((card.layers, card.heads, card.kv_heads, card.head_dim), (Some(4), Some(4), Some(2), Some(32)));
        assert_eq!((card.context, card.vocabulary, card.intermediate), (Some(256), Some(2048), Some(352)));
        assert_eq!(card.weight_bytes(Precision::F16), Some(2 * 1_000_576));
        assert_eq!(card.kv_cache_bytes(Precision::F32), Some(2 * 4 * 2 * 32 * 4));
        assert_eq!(card.flops_per_token(100), Some(2 * (1_000_576 - norms) + 4 * 4 * 4 * 32 * 100));
        assert_eq!(card.precision, Some(Precision::F16));
        assert!(card.is_causal && !card.has_chat_template && card.unreadable.is_none());
        assert_eq!(card.files[0].name, "model.safetensors");
    }

    #[test]
    fn golden_models_count_as_their_configurations_say() {
        let of = |name: &str| read_card(&root("tests/golden").join(name)).unwrap();
        let gpt2 = of("gpt2");
        let (v, t, d, l) =
            (gpt2.vocabulary.unwrap(), gpt2.context.unwrap(), gpt2.hidden.unwrap(), gpt2.layers.unwrap());
        let inner = gpt2.intermediate.unwrap();
        let matrices = l * (4 * d * d + 2 * d * inner);
        let vectors = l * (4 * d + d + inner + 4 * d) + 2 * d;
        assert_eq!(gpt2.parameters, Some(v * d + t * d + matrices + vectors));
        assert_eq!(gpt2.matmul_parameters, Some(matrices + v * d));
        // With and without a head of its own; everything that is no matrix is left out.
        for name in ["llama", "llama-tied"] {
            let card = of(name);
            let vectors = tensors_of(&*source(&card.path)).unwrap().into_iter().filter(|t| t.shape.len() == 1);
            let vectors: u64 = vectors.map(|t| t.shape[0] as u64).sum();
            let embedding = if name == "llama" { card.vocabulary.unwrap() * card.hidden.unwrap() } else { 0 };
            assert_eq!(card.matmul_parameters, Some(card.parameters.unwrap() - vectors - embedding), "{name}");
        }
    }

    fn tensor(name: &str, shape: &[usize], dtype: &str) -> TensorEntry {
        let bytes = shape.iter().product::<usize>() as u64 * 4;
        TensorEntry { name: name.into(), shape: shape.to_vec(), dtype: dtype.into(), bytes, file: String::new() }
    }

    #[test]
    fn masks_and_second_copies_are_not_counted() {
        let tensors = [
            tensor("wte.weight", &[10, 4], "F32"),
            tensor("h.0.attn.bias", &[1, 1, 8, 8], "F32"),
            tensor("embeddings.position_ids", &[1, 8], "I64"),
            tensor("h.0.attn.c_attn.bias", &[12], "F32"),
            tensor("h.0.attn.c_attn.weight", &[4, 12], "F32"),
            tensor("lm_head.weight", &[10, 4], "F32"),
        ];
        assert_eq!(count(&tensors, true, true), Counted { parameters: 40 + 12 + 48, matmul: 48 + 40 });
        assert_eq!(count(&tensors, true, false), Counted { parameters: 80 + 12 + 48, matmul: 48 + 40 });
        // A classifier sees one vector a picture; patches are multiplied with.
        let vit = [
            tensor("vit.embeddings.patch_embeddings.projection.weight", &[4, 3, 2, 2], "F32"),
            tensor("vit.embeddings.position_embeddings", &[1, 5, 4], "F32"),
            tensor("classifier.weight", &[10, 4], "F32"),
        ];
        assert_eq!(count(&vit, false, false), Counted { parameters: 48 + 20 + 40, matmul: 48 });
    }

    #[test]
    fn the_licence_is_in_the_front_matter() {
        let scratch = tempfile::tempdir().unwrap();
        let with = |text: &str| {
            std::fs::write(scratch.path().join("README.md"), text).unwrap();
            source(scratch.path()).licence()
        };
        assert_eq!(with("---\nlanguage: en\nlicense: apache-2.0\n---\n# X\nlicense: no"), Some("apache-2.0".into()));
        assert_eq!(with("---\nlicense: other\nlicense_name: \"gemma\"\n---\n"), Some("gemma".into()));
        assert_eq!(with("# X\nlicense: mit\n"), None);
        assert_eq!(with("---\nlicense:\n---\n"), None);
    }

    #[test]
    fn a_model_fovea_cannot_run_is_described_all_the_same() {
        let scratch = tempfile::tempdir().unwrap();
        let config = r#"{"architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "vocab_size": 7}"#;
        std::fs::write(scratch.path().join("config.json"), config).unwrap();
        std::fs::write(scratch.path().join("pytorch_model.bin"), "x").unwrap();
        let card = read_card(scratch.path()).unwrap();
        assert_eq!((card.architecture, card.architecture_name.as_str()), (None, "T5ForConditionalGeneration"));
        assert!(card.unreadable.unwrap().contains("pytorch_model.bin"), "the file is named");
        assert_eq!((card.parameters, card.vocabulary), (None, Some(7)));
        assert!(matches!(read_card(&scratch.path().join("none")), Err(LoadError::MissingFolder { .. })));
    }
}
