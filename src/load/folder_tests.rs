//! What happens with folders that are damaged, and with folders that were saved here.

use crate::load::*;
use crate::nn::Hooks;
use crate::types::{Precision, UserError};
use burn::module::Module;
use burn::tensor::Device;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// Every causal model in tests/golden.
pub(super) const CAUSAL: [&str; 10] =
    ["gpt2", "gpt-neox", "gpt-neox-sequential", "llama", "llama-tied", "llama3", "mistral", "qwen2", "qwen3", "gemma2"];

pub(super) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

pub(super) fn open(dir: &Path) -> Result<TextModel, LoadError> {
    open_text_model(dir, &Device::flex(), &mut |_, _| {})
}

/// A copy of a golden model that can be damaged.
pub(super) fn copy(name: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in ["config.json", "generation_config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(golden(name).join(file), dir.path().join(file)).unwrap();
    }
    dir
}

pub(super) fn edit_config(dir: &Path, edit: impl FnOnce(&mut Value)) {
    let path = dir.join("config.json");
    let mut config = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    edit(&mut config);
    write_json(&path, &config).unwrap();
}

/// Rewrites the weights with one tensor changed.
fn edit_weights(dir: &Path, edit: impl FnOnce(&mut Vec<(String, Vec<usize>, safetensors::Dtype, Vec<u8>)>)) {
    let path = dir.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut all =
        tensors.iter().map(|(n, t)| (n.to_owned(), t.shape().to_vec(), t.dtype(), t.data().to_vec())).collect();
    edit(&mut all);
    let views = all
        .iter()
        .map(|(n, shape, dtype, data)| (n, safetensors::tensor::TensorView::new(*dtype, shape.clone(), data).unwrap()));
    let rewritten = safetensors::serialize(views, None).unwrap();
    std::fs::write(path, rewritten).unwrap();
}

/// The error a damaged folder gives, as a person reads it; every one of `words` must be in it.
pub(super) fn check_complaint(dir: &Path, words: &[&str]) {
    let error = open(dir).map(|model| model.info).expect_err("the folder is damaged");
    let user = UserError::from(error);
    let text = user.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not named in:\n{text}");
    }
    assert!(!user.why.is_empty() && !user.next.is_empty(), "says neither why nor what next:\n{text}");
}

#[test]
fn a_folder_without_its_files() {
    check_complaint(tempfile::tempdir().unwrap().path(), &["config.json"]);
    let dir = copy("gpt2");
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    check_complaint(dir.path(), &["model.safetensors"]);
}

#[test]
fn a_config_that_is_wrong() {
    type Edit = fn(&mut Value);
    let cases: [(&str, Edit, &[&str]); 12] = [
        ("gpt2", |c| c["model_type"] = json!("mamba"), &["mamba", "config.json"]),
        ("gpt2", |c| c["n_embd"] = json!("wide"), &["n_embd", "wide"]),
        ("gpt2", |c| c["n_layer"] = json!(0), &["n_layer"]),
        ("gpt2", |c| c["n_head"] = json!(5), &["n_head", "5", "32"]),
        ("gpt2", |c| c["vocab_size"] = Value::Null, &["vocab_size", "missing"]),
        ("gpt2", |c| c["activation_function"] = json!("relu"), &["activation_function", "relu", "gelu_new"]),
        ("gpt2", |c| c["scale_attn_by_inverse_layer_idx"] = json!(true), &["scale_attn_by_inverse_layer_idx"]),
        ("gpt2", |c| c["eos_token_id"] = json!("end"), &["eos_token_id", "end"]),
        ("llama", |c| c["num_key_value_heads"] = json!(3), &["num_key_value_heads", "3", "4"]),
        ("llama", |c| c["hidden_act"] = json!("gelu"), &["hidden_act", "gelu"]),
        (
            "llama",
            |c| c["rope_parameters"] = json!({ "rope_type": "yarn", "factor": 2.0 }),
            &["rope_parameters.rope_type", "yarn"],
        ),
        ("llama3", |c| c["rope_parameters"]["factor"] = json!(-1), &["rope_parameters.factor", "-1"]),
    ];
    for (model, edit, words) in cases {
        let dir = copy(model);
        edit_config(dir.path(), edit);
        check_complaint(dir.path(), words);
    }
}

#[test]
fn a_config_that_is_no_json() {
    let dir = copy("gpt2");
    std::fs::write(dir.path().join("config.json"), "{ \"n_embd\": ").unwrap();
    check_complaint(dir.path(), &["config.json", "JSON"]);
}

#[test]
fn a_broken_tokenizer() {
    for text in ["", "{}", "{\"model\":{\"type\":\"BPE\",\"vocab\":[]}}"] {
        let dir = copy("gpt2");
        std::fs::write(dir.path().join("tokenizer.json"), text).unwrap();
        check_complaint(dir.path(), &["tokenizer.json"]);
    }
}

#[test]
fn a_tokenizer_of_another_model() {
    let dir = copy("gpt2");
    Tokenizer::bytes().to_file(&dir.path().join("tokenizer.json")).unwrap();
    check_complaint(dir.path(), &["tokenizer.json", "255", "64"]);
}

#[test]
fn weights_that_are_cut_off_or_no_weights() {
    let dir = copy("gpt2");
    let path = dir.path().join("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 5, 200, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        check_complaint(dir.path(), &["model.safetensors", "damaged"]);
    }
    std::fs::write(&path, vec![b'x'; 5000]).unwrap();
    check_complaint(dir.path(), &["model.safetensors", "damaged"]);
}

#[test]
fn a_missing_tensor_is_named() {
    let dir = copy("llama");
    edit_weights(dir.path(), |t| t.retain(|t| t.0 != "model.layers.1.mlp.up_proj.weight"));
    check_complaint(dir.path(), &["model.layers.1.mlp.up_proj.weight", "missing"]);
}

#[test]
fn a_misshapen_tensor_is_named_with_both_shapes() {
    let dir = copy("gpt2");
    edit_config(dir.path(), |c| c["n_inner"] = json!(40));
    check_complaint(dir.path(), &["transformer.h.0.mlp.c_fc.weight", "[32, 48]", "[32, 40]"]);
}

#[test]
fn a_tensor_without_a_place_is_named() {
    let dir = copy("llama");
    edit_config(dir.path(), |c| c["num_hidden_layers"] = json!(1));
    check_complaint(dir.path(), &["model.layers.1.input_layernorm.weight", "no place"]);
}

#[test]
fn a_weight_that_is_not_a_number_is_named() {
    for value in [f32::NAN, f32::INFINITY] {
        let dir = copy("gpt2");
        edit_weights(dir.path(), |t| {
            let norm = t.iter_mut().find(|t| t.0 == "transformer.ln_f.bias").unwrap();
            norm.3[12..16].copy_from_slice(&value.to_le_bytes());
        });
        check_complaint(dir.path(), &["transformer.ln_f.bias", "position 3", &value.to_string()]);
    }
}

#[test]
fn an_element_type_that_is_no_weight_is_named() {
    let dir = copy("gpt2");
    edit_weights(dir.path(), |t| {
        let wte = t.iter_mut().find(|t| t.0 == "transformer.wte.weight").unwrap();
        (wte.2, wte.3) = (safetensors::Dtype::I8, vec![0; 64 * 32]);
    });
    check_complaint(dir.path(), &["transformer.wte.weight", "I8", "BF16"]);
}

#[test]
fn a_target_that_cannot_be_written() {
    let model = open(&golden("gpt2")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("occupied");
    std::fs::write(&file, "a file where the folder should be").unwrap();
    let error = UserError::from(save_text_model(&model, &file, Precision::F32).unwrap_err());
    assert!(error.what.contains("occupied") && error.what.contains("written"), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), b"a file where the folder should be");
}

#[test]
fn names_without_prefix_and_masks_of_old_files_are_read() {
    let dir = copy("gpt2");
    edit_weights(dir.path(), |tensors| {
        for tensor in tensors.iter_mut() {
            tensor.0 = tensor.0.trim_start_matches("transformer.").to_owned();
        }
        tensors.push(("h.0.attn.bias".to_owned(), vec![1, 1, 2, 2], safetensors::Dtype::U8, vec![1, 0, 1, 1]));
    });
    assert_eq!(logits(&open(dir.path()).unwrap()), logits(&open(&golden("gpt2")).unwrap()));
}

#[test]
fn a_tied_model_may_store_its_matrix_as_the_head() {
    let dir = copy("llama-tied");
    edit_weights(dir.path(), |tensors| {
        let embedding = tensors.iter_mut().find(|t| t.0 == "model.embed_tokens.weight").unwrap();
        embedding.0 = "lm_head.weight".to_owned();
    });
    assert_eq!(logits(&open(dir.path()).unwrap()), logits(&open(&golden("llama-tied")).unwrap()));
}

#[test]
fn the_files_element_type_is_told() {
    for (name, precision) in [("gpt2", Precision::F32), ("gpt-neox", Precision::F16), ("gemma2", Precision::Bf16)] {
        let model = open(&golden(name)).unwrap();
        assert_eq!(model.info.precision, precision);
        assert_eq!(model.info.name, name);
        assert_eq!(model.info.parameters, model.lm.num_params() as u64);
        assert_eq!(model.eos, [63]);
    }
}

#[test]
fn progress_counts_up_to_the_whole() {
    let mut seen = Vec::new();
    open_text_model(&golden("gpt2"), &Device::flex(), &mut |done, total| seen.push((done, total))).unwrap();
    let (last, total) = *seen.last().unwrap();
    assert_eq!((seen[0].0, last), (0, total));
    assert!(seen.is_sorted() && seen.len() > 20, "{seen:?}");
}

#[test]
fn a_shape_alone_gives_a_model_with_random_weights() {
    let dir = copy("gpt2");
    edit_config(dir.path(), |c| c["vocab_size"] = json!(300));
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    std::fs::remove_file(dir.path().join("tokenizer.json")).unwrap();
    let model = random_text_model(dir.path(), &Device::flex(), 7).unwrap();
    assert_eq!(model.tokenizer.decode(&model.tokenizer.ids("héllo").unwrap()), "héllo");
    let logits = logits(&model);
    assert!(logits.len() == 300 && logits.iter().any(|x| *x != logits[0]), "{logits:?}");
}

/// Scores after a few tokens.
pub(super) fn logits(model: &TextModel) -> Vec<f32> {
    let ids = model.lm.ids(&[3, 14, 15, 9, 2, 6]);
    model.lm.forward_cached(ids, &mut model.lm.new_state(), &mut Hooks::off()).into_data().iter().collect()
}

#[test]
fn a_saved_folder_opens_as_the_same_model() {
    for name in CAUSAL {
        let model = open(&golden(name)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a new/folder");
        save_text_model(&model, &target, Precision::F32).unwrap();
        let saved = open(&target).unwrap();
        assert_eq!(saved.config, model.config);
        assert_eq!((saved.bos, &saved.eos), (model.bos, &model.eos));
        assert_eq!(logits(&saved), logits(&model), "{name}");
        assert_eq!(saved.tokenizer.encode("Hi, you").unwrap(), model.tokenizer.encode("Hi, you").unwrap());
        // Saving over the folder it was read from works too.
        save_text_model(&saved, &target, Precision::F32).unwrap();
        assert_eq!(logits(&open(&target).unwrap()), logits(&model), "{name}");
    }
}

#[test]
fn a_saved_folder_opens_in_transformers() {
    const SCRIPT: &str = "
import json, sys
try:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
except ImportError:
    sys.exit(77)
torch.set_num_threads(1)
for folder in sys.argv[1:]:
    model, report = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not report['missing_keys'] and not report['unexpected_keys'] and not report['mismatched_keys'], report
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        logits = model(torch.tensor([[3, 14, 15, 9, 2, 6]])).logits[0, -1]
    print(json.dumps({'logits': logits.tolist(), 'ids': tokenizer('Hi, you').input_ids, 'eos': tokenizer.eos_token}))
";
    let dir = tempfile::tempdir().unwrap();
    let models: Vec<TextModel> = CAUSAL.iter().map(|name| open(&golden(name)).unwrap()).collect();
    let folders: Vec<PathBuf> = CAUSAL.iter().map(|name| dir.path().join(name)).collect();
    for (model, folder) in models.iter().zip(&folders) {
        save_text_model(model, folder, Precision::F32).unwrap();
    }
    let output = match Command::new("python3").args(["-c", SCRIPT]).args(&folders).output() {
        Ok(output) if output.status.code() != Some(77) => output,
        _ => {
            println!("skipped: no python3 with transformers");
            return;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    for (line, model) in lines.lines().zip(&models) {
        let theirs: Value = serde_json::from_str(line).unwrap();
        let theirs_logits: Vec<f32> = serde_json::from_value(theirs["logits"].clone()).unwrap();
        let worst = logits(model).iter().zip(&theirs_logits).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "logits differ by {worst}");
        assert_eq!(theirs["ids"], json!(model.tokenizer.ids("Hi, you").unwrap()));
        assert_eq!(theirs["eos"], "<|end|>");
    }
    assert_eq!(lines.lines().count(), models.len());
}

#[test]
fn a_chat_template_is_saved_with_its_model() {
    let dir = copy("llama");
    let config = json!({ "eos_token": { "content": "<|end|>" }, "pad_token": "<pad>", "chat_template": [
        { "name": "default", "template": "{{ messages[0].content }}{{ eos_token }}{{ pad_token }}" },
        { "name": "rag", "template": "r" }] });
    write_json(&dir.path().join("tokenizer_config.json"), &config).unwrap();
    let model = open(dir.path()).unwrap();
    let target = dir.path().join("saved");
    save_text_model(&model, &target, Precision::F32).unwrap();
    let saved = open(&target).unwrap();
    let (before, after) = (model.chat.as_ref().as_ref().unwrap(), saved.chat.as_ref().as_ref().unwrap());
    assert_eq!((after.names(), after.special_tokens()), (before.names(), before.special_tokens()));
    let turn = crate::types::ChatTurn::new(crate::types::ChatRole::User, "Hi");
    let prompt = crate::types::ChatPrompt::new(&[turn], Default::default(), Default::default());
    assert_eq!(render_chat(&saved.chat, &prompt).unwrap().text, "Hi<|end|><pad>");
}

#[test]
fn half_precision_is_written_as_its_nearest_values_and_never_as_infinity() {
    let mut model = open(&golden("llama-tied")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    save_text_model(&model, dir.path(), Precision::F16).unwrap();
    let saved = open(dir.path()).unwrap();
    assert_eq!(saved.info.precision, Precision::F16);
    let worst = logits(&saved).iter().zip(logits(&model)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 2e-2, "logits moved by {worst}");
    let size = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().len();
    let half = size("model.safetensors");
    save_text_model(&model, dir.path(), Precision::F32).unwrap();
    assert!(half < size("model.safetensors") * 6 / 10);

    if let crate::nn::CausalLm::Llama(llama) = &mut model.lm {
        llama.norm_final.gain = llama.norm_final.gain.clone().map(|gain| gain * 0.0 + 70_000.0);
    }
    let error = save_text_model(&model, dir.path(), Precision::F16).unwrap_err();
    assert!(error.to_string().contains("`model.norm.weight` holds 70000, which F16 cannot hold"), "{error}");
}

#[cfg(unix)]
#[test]
fn weights_have_the_permissions_of_other_new_files() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    save_text_model(&open(&golden("gpt2")).unwrap(), dir.path(), Precision::F32).unwrap();
    let mode = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("model.safetensors"), mode("config.json"));
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".part")), "{left:?}");
}
