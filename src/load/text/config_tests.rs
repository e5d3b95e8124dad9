//! Configurations: both spellings of everything, and everything that can be wrong with one.

use crate::load::folder_tests::{CAUSAL, check_complaint, copy, edit_config, golden};
use crate::load::source::source;
use crate::load::text::config::{read_settings, write_settings};
use crate::load::*;
use crate::nn::{Activation, GptNeoxConfig, LlamaConfig, RopeScaling, SlidingWindow, TextConfig};
use crate::types::{OwnSampling, Precision};
use serde_json::{Value, json};

type Edit = fn(&mut Value);

fn refused(model: &str, edit: Edit, words: &[&str]) {
    let dir = copy(model);
    edit_config(dir.path(), edit);
    check_complaint(dir.path(), &[&["config.json"], words].concat());
}

fn read(model: &str, edit: Edit) -> TextConfig {
    let dir = copy(model);
    edit_config(dir.path(), edit);
    read_text_config(dir.path()).unwrap_or_else(|e| panic!("{model}: {e:?}"))
}

fn llama(model: &str, edit: Edit) -> LlamaConfig {
    let TextConfig::Llama(config) = read(model, edit) else { panic!("{model} is none of the Llamas") };
    config
}

fn neox(edit: Edit) -> GptNeoxConfig {
    let TextConfig::GptNeox(config) = read("gpt-neox", edit) else { panic!("no GPT-NeoX") };
    config
}

fn remove(config: &mut Value, names: &[&str]) {
    for name in names {
        config.as_object_mut().unwrap().remove(*name);
    }
}

#[test]
fn what_is_not_computed_is_refused_by_name() {
    let cases: [(&str, Edit, &[&str]); 22] = [
        ("gpt2", |c| c["model_type"] = json!("mixtral"), &["mixtral", "Gemma 2", "Pythia"]),
        ("gpt2", |c| c["quantization_config"] = json!({ "quant_method": "gptq" }), &["quantization_config", "gptq"]),
        ("llama", |c| c["rope_scaling"] = json!({ "type": "dynamic", "factor": 2.0 }), &["dynamic", "llama3"]),
        ("llama3", |c| c["rope_parameters"]["rope_type"] = json!("yarn"), &["rope_parameters.rope_type", "yarn"]),
        ("llama3", |c| c["rope_parameters"]["rope_type"] = json!("longrope"), &["longrope", "linear"]),
        ("llama", |c| c["partial_rotary_factor"] = json!(0.5), &["partial_rotary_factor", "0.5"]),
        ("llama", |c| c["hidden_act"] = json!("relu"), &["hidden_act", "relu", "silu"]),
        ("mistral", |c| c["hidden_act"] = json!("gelu"), &["hidden_act", "gelu"]),
        ("mistral", |c| c["layer_types"] = json!(["full_attention", "sliding_attention"]), &["layer_types"]),
        ("qwen2", |c| c["layer_types"][0] = json!("chunked_attention"), &["layer_types", "chunked_attention"]),
        ("qwen2", |c| c["layer_types"] = json!(["full_attention"]), &["layer_types", "1", "2"]),
        ("qwen2", |c| c["use_sliding_window"] = json!(false), &["layer_types", "block 1", "sliding_window"]),
        ("qwen2", |c| c["use_mrope"] = json!(true), &["use_mrope"]),
        ("gpt-neox", |c| c["hidden_act"] = json!("relu"), &["hidden_act", "relu", "gelu_new"]),
        ("gpt-neox", |c| c["rope_parameters"]["partial_rotary_factor"] = json!(0.4), &["rotary_pct", "0.4", "3 of 8"]),
        ("gpt-neox", |c| c["rope_parameters"]["partial_rotary_factor"] = json!(1.5), &["rotary_pct", "1.5"]),
        ("gemma2", |c| c["hidden_activation"] = json!("relu"), &["hidden_activation", "relu"]),
        ("gemma2", |c| c["use_bidirectional_attention"] = json!(true), &["use_bidirectional_attention"]),
        ("gemma2", |c| c["sliding_window"] = Value::Null, &["layer_types", "block 0", "sliding_window"]),
        ("gemma2", |c| c["attn_logit_softcapping"] = json!(-1.0), &["attn_logit_softcapping", "-1"]),
        ("gemma2", |c| c["rope_parameters"] = json!({ "rope_type": "yarn", "factor": 2.0 }), &["yarn"]),
        (
            "gemma2",
            |c| {
                let of = |theta: f64| json!({ "rope_type": "default", "rope_theta": theta });
                c["rope_parameters"] = json!({ "full_attention": of(1e6), "sliding_attention": of(1e4) });
            },
            &["rope_parameters.sliding_attention"],
        ),
    ];
    for (model, edit, words) in cases {
        refused(model, edit, words);
    }
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    let cases: [(&str, Edit, &[&str]); 15] = [
        ("gpt2", |c| c["n_layer"] = json!(1_000_000_000_000_u64), &["n_layer", "1000000000000"]),
        ("gpt2", |c| c["n_embd"] = json!(u64::MAX), &["n_embd"]),
        ("gpt2", |c| c["n_inner"] = json!(1e30), &["n_inner"]),
        ("gpt2", |c| c["n_positions"] = json!(-5), &["n_positions", "-5"]),
        ("gpt-neox", |c| c["num_attention_heads"] = json!(3), &["num_attention_heads", "3", "hidden_size = 16"]),
        ("gpt-neox", |c| c["intermediate_size"] = Value::Null, &["intermediate_size", "missing"]),
        ("llama", |c| c["vocab_size"] = json!(u64::MAX), &["vocab_size"]),
        ("llama", |c| c["head_dim"] = json!(5), &["head_dim", "5", "even"]),
        ("llama3", |c| c["rope_parameters"]["high_freq_factor"] = json!(0.5), &["high_freq_factor", "low_freq_factor"]),
        ("llama3", |c| c["rope_parameters"]["factor"] = Value::Null, &["rope_parameters.factor", "missing"]),
        ("mistral", |c| remove(c, &["num_key_value_heads"]), &["num_key_value_heads", "missing"]),
        ("mistral", |c| c["sliding_window"] = json!(0), &["sliding_window", "0"]),
        ("qwen2", |c| c["num_key_value_heads"] = json!(3), &["num_key_value_heads", "3", "4"]),
        ("qwen3", |c| remove(c, &["head_dim"]), &["head_dim", "missing"]),
        ("gemma2", |c| c["num_attention_heads"] = json!(1_u64 << 40), &["num_attention_heads"]),
    ];
    for (model, edit, words) in cases {
        refused(model, edit, words);
    }
}

#[test]
fn sizes_that_do_not_fit_the_file_name_the_tensor() {
    let refused = |model: &str, edit: Edit, words: &[&str]| {
        let dir = copy(model);
        edit_config(dir.path(), edit);
        check_complaint(dir.path(), words);
    };
    refused("llama", |c| c["vocab_size"] = json!(65), &["[65, 32]", "[64, 32]"]);
    refused("gemma2", |c| c["hidden_size"] = json!(1 << 20), &["model.embed_tokens.weight", "[64, 1048576]"]);
    refused("qwen3", |c| c["head_dim"] = json!(10), &["self_attn.q_proj.weight", "[40, 16]"]);
    let as_mistral: Edit = |c| {
        c["model_type"] = json!("mistral");
        remove(c, &["layer_types"]);
    };
    refused("qwen2", as_mistral, &["model.safetensors", "self_attn.k_proj.bias", "no place"]);
    refused("qwen2", |c| c["model_type"] = json!("qwen3"), &["head_dim"]);
    refused("llama", |c| c["model_type"] = json!("gemma2"), &["pre_feedforward_layernorm", "missing"]);
}

#[test]
fn random_weights_that_no_memory_holds_are_refused() {
    let dir = copy("llama");
    edit_config(dir.path(), |c| {
        c["hidden_size"] = json!(1 << 20);
        c["intermediate_size"] = json!(1 << 22);
        c["num_hidden_layers"] = json!(1 << 10);
        c["head_dim"] = json!(1 << 18);
    });
    let error = random_text_model(dir.path(), &burn::tensor::Device::flex(), 1).map(|model| model.info).unwrap_err();
    let text = crate::types::UserError::from(error).to_string();
    assert!(text.contains("config.json") && text.contains("1024 blocks of width 1048576"), "{text}");
}

#[test]
fn old_spellings_mean_the_same() {
    // transformers 5 writes rope_parameters; 4 wrote these.
    assert_eq!(
        llama("llama3", |c| {
            let mut rope = c["rope_parameters"].take();
            c["rope_theta"] = rope["rope_theta"].take();
            c["rope_scaling"] = rope;
            remove(c, &["rope_parameters"]);
        }),
        llama("llama3", |_| {})
    );
    let linear = |factor| Some(RopeScaling::Linear { factor });
    let typed = |c: &mut Value| {
        remove(c, &["rope_parameters"]);
        c["rope_scaling"] = json!({ "type": "linear", "factor": 4.0 });
        c["rope_theta"] = json!(5000);
    };
    let config = llama("llama", typed);
    assert_eq!((config.rope_scaling, config.rope_theta), (linear(4.0), 5000.0));
    let pythia: Edit = |c| {
        remove(c, &["rope_parameters", "attention_bias", "hidden_act", "use_parallel_residual"]);
        c["rotary_pct"] = json!(0.5);
        c["rotary_emb_base"] = json!(10_000);
    };
    assert_eq!(neox(pythia), neox(|_| {}));
    let quarter = neox(|c| remove(c, &["rope_parameters"]));
    assert_eq!((quarter.rotary_width, quarter.activation), (2, Activation::Gelu));
    // Since 5, an object may have one entry a kind of layer.
    let nested: Edit = |c| {
        let of = c["rope_parameters"].take();
        c["rope_parameters"] = json!({ "full_attention": of, "sliding_attention": of });
    };
    assert_eq!(read("gemma2", nested), read("gemma2", |_| {}));
}

#[test]
fn windows_are_read_in_every_way_they_are_written() {
    let of = |width, blocks: &[bool]| Some(SlidingWindow { width, blocks: blocks.to_vec() });
    assert_eq!(llama("mistral", |_| {}).sliding, of(5, &[true, true]));
    assert_eq!(llama("mistral", |c| c["sliding_window"] = Value::Null).sliding, None);
    assert_eq!(llama("mistral", |c| remove(c, &["sliding_window"])).sliding, of(4096, &[true, true]));
    assert_eq!(llama("qwen2", |_| {}).sliding, of(5, &[false, true]));
    assert_eq!(llama("qwen2", |c| remove(c, &["layer_types"])).sliding, of(5, &[false, true]));
    let first_full = |c: &mut Value| {
        remove(c, &["layer_types"]);
        c["max_window_layers"] = json!(0);
    };
    assert_eq!(llama("qwen2", first_full).sliding, of(5, &[true, true]));
    assert_eq!(llama("qwen3", |_| {}).sliding, None);
    let TextConfig::Gemma2(gemma) = read("gemma2", |c| remove(c, &["layer_types"])) else { panic!("no Gemma") };
    assert_eq!(gemma.sliding, of(5, &[true, false]));
}

#[test]
fn an_absent_bound_is_the_familys_and_null_is_none() {
    let bounds = |edit: Edit| {
        let TextConfig::Gemma2(config) = read("gemma2", edit) else { panic!("no Gemma") };
        (config.attention_softcap, config.logit_softcap)
    };
    assert_eq!(bounds(|_| {}), (Some(1.5), Some(2.0)));
    assert_eq!(bounds(|c| remove(c, &["attn_logit_softcapping", "final_logit_softcapping"])), (Some(50.0), Some(30.0)));
    assert_eq!(bounds(|c| c["attn_logit_softcapping"] = Value::Null), (None, Some(2.0)));
}

#[test]
fn an_architecture_may_be_known_by_its_model_type_alone() {
    for name in CAUSAL {
        let dir = copy(name);
        edit_config(dir.path(), |c| remove(c, &["architectures"]));
        assert_eq!(read_text_config(dir.path()).unwrap(), read_text_config(&golden(name)).unwrap(), "{name}");
    }
    refused("gpt2", |c| remove(c, &["architectures", "model_type"]), &["architectures", "missing"]);
}

#[test]
fn ends_of_a_text_come_from_either_file_as_number_or_list() {
    let ends = |config: Value, generation: Option<Value>| {
        let dir = copy("llama");
        edit_config(dir.path(), |c| c["eos_token_id"] = config);
        let path = dir.path().join("generation_config.json");
        match generation {
            Some(ids) => write_json(&path, &json!({ "eos_token_id": ids })).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        read_settings(&*source(dir.path())).unwrap().eos
    };
    assert_eq!(ends(json!(63), None), [63]);
    assert_eq!(ends(json!([63, 2]), None), [63, 2]);
    assert_eq!(ends(json!(63), Some(json!([5, 6]))), [5, 6]);
    assert_eq!(ends(json!([1, 2]), Some(Value::Null)), [1, 2]);
    assert_eq!(ends(Value::Null, None), [0; 0]);
}

#[test]
fn how_its_authors_sample_is_read_and_written_again() {
    let own = |generation: Value| {
        let dir = copy("llama");
        write_json(&dir.path().join("generation_config.json"), &generation).unwrap();
        let settings = read_settings(&*source(dir.path())).unwrap();
        write_settings(&settings, Precision::F32, dir.path()).unwrap();
        assert_eq!(read_settings(&*source(dir.path())).unwrap().own, settings.own, "written again");
        settings.own
    };
    let said = own(json!({ "do_sample": true, "temperature": 0.5, "top_k": 20, "top_p": "much", "max_new_tokens": 9 }));
    let expected = OwnSampling {
        do_sample: Some(true),
        temperature: Some(0.5),
        top_k: Some(20),
        max_new_tokens: Some(9),
        ..OwnSampling::default()
    };
    assert_eq!(said, Some(expected));
    assert_eq!(own(json!({ "eos_token_id": 3 })), None, "nothing is said about sampling");
}
