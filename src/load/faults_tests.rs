//! Folders as they are about: what their files say against each other, and what is missing from them. The right values are
//! those of transformers 5 and sentence-transformers 6.

use crate::load::folder_tests::{check_complaint, copy, edit_config, golden, logits};
use crate::load::tokens::tokenizer_class::{TokenizerClass, UsualClass};
use crate::load::tokens::tokenizer_files::read_tokenizer;
use crate::load::*;
use crate::nn::Hooks;
use crate::types::UserError;
use burn::tensor::Device;
use serde_json::{Value, json};
use std::path::PathBuf;
use tempfile::TempDir;

/// A copy of a folder of files that contradict each other.
fn fault(name: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_all(&golden("faults").join(name), dir.path());
    dir
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() { copy_all(&path, &to) } else { assert!(std::fs::copy(path, to).is_ok()) }
    }
}

fn edit(dir: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let path = dir.join(file);
    let mut value = serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|_| b"{}".to_vec())).unwrap();
    change(&mut value);
    write_json(&path, &value).unwrap();
}

fn ids(dir: &Path, usual: TokenizerClass, vocabulary: usize, text: &str) -> Vec<u32> {
    let tokenizer = read_tokenizer(dir, UsualClass::unless_named(usual), vocabulary);
    tokenizer.unwrap_or_else(|e| panic!("{e:?}")).ids(text).unwrap()
}

#[test]
fn a_head_in_the_file_counts_whatever_config_json_says() {
    let dir = fault("tied-other-head");
    let model = open_text_model(dir.path(), &Device::flex(), &mut |_, _| {}).unwrap();
    let ids = model.lm.ids(&[116, 104, 101]);
    let scores = model.lm.forward_cached(ids, &mut model.lm.new_state(), &mut Hooks::off()).into_data();
    let scores: Vec<f32> = scores.iter().collect();
    let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
    assert_eq!(best, 245);
    assert!((scores[0] - 1.3985).abs() < 1e-3 && (scores[1] + 2.715).abs() < 1e-3, "{:?}", &scores[..4]);
    // Saved, it says so itself; and its card counts both matrices.
    let saved = tempfile::tempdir().unwrap();
    save_text_model(&model, saved.path(), crate::types::Precision::F32).unwrap();
    let config: Value = serde_json::from_slice(&std::fs::read(saved.path().join("config.json")).unwrap()).unwrap();
    assert_eq!(config["tie_word_embeddings"], false);
    let opened = open_text_model(saved.path(), &Device::flex(), &mut |_, _| {}).unwrap();
    assert_eq!(logits(&opened), logits(&model));
    assert_eq!(read_card(dir.path()).unwrap().parameters, Some(model.info.parameters));
}

#[test]
fn tokens_that_only_the_settings_name_are_whole_in_a_text() {
    let dir = fault("added-in-config");
    let text = "a<|im_start|>b";
    assert_eq!(ids(dir.path(), TokenizerClass::Llama, 258, text), [97, 256, 98]);
    let spaced = |change: fn(&mut Value)| {
        edit(dir.path(), "tokenizer_config.json", change);
        ids(dir.path(), TokenizerClass::Llama, 258, "the <|im_end|>  x")
    };
    assert_eq!(spaced(|_| {}), [116, 104, 101, 32, 257, 32, 32, 120]);
    // The token's own flags take the spaces around it.
    let greedy = spaced(|c| {
        c["added_tokens_decoder"]["257"]["lstrip"] = true.into();
        c["added_tokens_decoder"]["257"]["rstrip"] = true.into();
    });
    assert_eq!(greedy, [116, 104, 101, 257, 120]);
    // A list that skips an id would move every later token.
    edit(dir.path(), "tokenizer_config.json", |c| c["added_tokens_decoder"]["299"] = json!({ "content": "<x>" }));
    let error = read_tokenizer(dir.path(), UsualClass::unless_named(TokenizerClass::Llama), 300).unwrap_err();
    assert!(UserError::from(error).to_string().contains("`<x>` should have the id 299"));
    // Older folders say it in files of their own; without ids they get the next ones, by their roles.
    let settings = |value: Value| write_json(&dir.path().join("tokenizer_config.json"), &value).unwrap();
    settings(
        json!({ "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|im_start|>" }),
    );
    assert_eq!(ids(dir.path(), TokenizerClass::Llama, 258, text), [97, 257, 98]);
    settings(json!({ "tokenizer_class": "PreTrainedTokenizerFast" }));
    write_json(&dir.path().join("added_tokens.json"), &json!({ "<|im_start|>": 256, "<|im_end|>": 257 })).unwrap();
    assert_eq!(ids(dir.path(), TokenizerClass::Llama, 258, text), [97, 256, 98]);
}

#[test]
fn older_files_have_their_added_tokens_and_ends() {
    let dir = fault("added-tokens-json");
    let read = |settings: Value| {
        write_json(&dir.path().join("tokenizer_config.json"), &settings).unwrap();
        ids(dir.path(), TokenizerClass::Gpt2, 263, "<|im_start|>the<|im_end|>")
    };
    assert_eq!(read(json!({})), [261, 257, 262]);
    assert_eq!(read(json!({ "add_bos_token": true })), [260, 261, 257, 262]);
    assert_eq!(read(json!({ "add_bos_token": true, "add_eos_token": true })), [260, 261, 257, 262, 260]);
    // With a tokenizer.json the flag changes nothing.
    let dir = fault("add-prefix-space");
    edit(dir.path(), "tokenizer_config.json", |c| {
        c["add_bos_token"] = true.into();
        c["bos_token"] = "a".into();
    });
    assert_eq!(ids(dir.path(), TokenizerClass::Gpt2, 300, "the"), [258]);
}

#[test]
fn flags_of_the_settings_win_over_tokenizer_json() {
    let dir = fault("cased-flag");
    let read = |settings: Value, text: &str| {
        write_json(&dir.path().join("tokenizer_config.json"), &settings).unwrap();
        ids(dir.path(), TokenizerClass::Bert, 34, text)
    };
    let (cased, lower) = ([2, 21, 6, 31, 3], [2, 5, 6, 30, 3]);
    let text = "The cat Paris";
    assert_eq!(read(json!({ "tokenizer_class": "BertTokenizer", "do_lower_case": false }), text), cased);
    assert_eq!(read(json!({ "tokenizer_class": "DistilBertTokenizerFast", "do_lower_case": false }), text), cased);
    assert_eq!(read(json!({ "tokenizer_class": "BertTokenizer" }), text), lower);
    // This class has no such flag.
    assert_eq!(read(json!({ "tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": false }), text), lower);
    let chinese = |flag: bool| json!({ "tokenizer_class": "BertTokenizer", "tokenize_chinese_chars": flag });
    assert_eq!(read(chinese(true), "Café 漢a mat"), [2, 1, 1, 15, 10, 3]);
    assert_eq!(read(chinese(false), "Café 漢a mat"), [2, 1, 1, 10, 3]);

    let dir = fault("add-prefix-space");
    let read = |settings: Value| {
        write_json(&dir.path().join("tokenizer_config.json"), &settings).unwrap();
        ids(dir.path(), TokenizerClass::Gpt2, 300, "the")
    };
    for class in ["GPT2Tokenizer", "GPTNeoXTokenizer", "RobertaTokenizerFast", "Qwen2Tokenizer"] {
        assert_eq!(read(json!({ "tokenizer_class": class, "add_prefix_space": true })), [258], "{class}");
        assert_eq!(read(json!({ "tokenizer_class": class })), [116, 257], "{class}");
    }
    assert_eq!(read(json!({ "tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": true })), [116, 257]);

    let dir = fault("regex-decoder");
    let read = |settings: Value, text: &str| {
        write_json(&dir.path().join("tokenizer_config.json"), &settings).unwrap();
        ids(dir.path(), TokenizerClass::Llama, 400, text)
    };
    let llama = |flag: bool| json!({ "tokenizer_class": "LlamaTokenizer", "add_prefix_space": flag });
    assert_eq!(read(llama(true), "the cat"), [1, 354]);
    assert_eq!(read(llama(false), "the cat"), [1, 288, 279, 295, 329]);
    assert_eq!(read(llama(false), "</s>the"), [1, 2, 288, 279, 277]);
}

#[test]
fn a_token_beyond_the_embeddings_matters_only_in_a_text_that_holds_it() {
    let dir = fault("pad-beyond-vocab");
    let tokenizer = read_tokenizer(dir.path(), UsualClass::unless_named(TokenizerClass::Llama), 258).unwrap();
    assert_eq!(tokenizer.ids("the").unwrap(), [116, 104, 101]);
    assert_eq!((tokenizer.token_id("[PAD]"), tokenizer.vocabulary()), (None, 258));
    let error = tokenizer.ids("a[PAD]").unwrap_err();
    let text = UserError::from(error).to_string();
    assert!(text.contains("`[PAD]`") && text.contains("258"), "{text}");
    // A tokenizer whose own words go beyond is another model's.
    assert!(read_tokenizer(dir.path(), UsualClass::unless_named(TokenizerClass::Llama), 200).is_err());
}

#[test]
fn older_files_of_other_families_open() {
    let dir = fault("qwen2-older-files");
    let text = "the<|im_end|> the";
    assert_eq!(ids(dir.path(), TokenizerClass::Qwen2, 261, text), [257, 260, 32, 257]);
    assert_eq!(
        ids(dir.path(), TokenizerClass::Qwen2, 261, "éé 12 the\n\n x"),
        [195, 169, 195, 169, 32, 49, 50, 32, 257, 10, 10, 32, 120]
    );
    edit(dir.path(), "tokenizer_config.json", |c| c["add_eos_token"] = true.into());
    assert_eq!(ids(dir.path(), TokenizerClass::Qwen2, 261, text), [257, 260, 32, 257, 260]);
}

#[test]
fn a_saved_folder_keeps_what_the_settings_said_of_its_tokenizer() {
    let dir = copy("qwen2");
    std::fs::remove_file(dir.path().join("tokenizer.json")).unwrap();
    copy_all(&golden("faults/qwen2-older-files"), dir.path());
    edit(dir.path(), "tokenizer_config.json", |c| c["add_prefix_space"] = true.into());
    let tokenizer = read_tokenizer(dir.path(), UsualClass::unless_named(TokenizerClass::Qwen2), 261).unwrap();
    let text = "the<|im_end|> the";
    let expected = tokenizer.ids(text).unwrap();
    assert_eq!(expected, [32, 257, 260, 32, 257]);
    let mut model = open_text_model(&golden("qwen2"), &Device::flex(), &mut |_, _| {}).unwrap();
    model.tokenizer = tokenizer.into();
    let saved = dir.path().join("saved");
    save_text_model(&model, &saved, crate::types::Precision::F32).unwrap();
    assert_eq!(ids(&saved, TokenizerClass::Qwen2, 261, text), expected);
}

fn vector(dir: &Path, text: &str) -> (usize, Vec<f32>) {
    let model = open_encoder_model(dir, &Device::flex(), &mut |_, _| {}).unwrap();
    let (ids, _) = model.tokenizer.ids_at_most(text, model.reads.longest).unwrap();
    let batch = crate::nn::EncoderBatch::one(&ids);
    let hidden = model.encoder.forward(&batch, &mut Hooks::off());
    let mean: Vec<f32> = hidden.hidden.mean_dim(1).into_data().iter().collect();
    let length = if model.reads.normalised { mean.iter().map(|x| x * x).sum::<f32>().sqrt() } else { 1.0 };
    (ids.len(), mean.iter().take(3).map(|x| x / length).collect())
}

#[test]
fn a_text_is_cut_where_any_file_of_sentence_transformers_says() {
    let dir = fault("st-none-modelmax");
    let text = "The cat sat on the mat. the dog runs! a big house is red, Paris";
    let check = || {
        let (tokens, vector) = vector(dir.path(), text);
        let off = vector.iter().zip([-0.1258, -0.1116, -0.3779]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(tokens == 8 && off < 1e-3, "{tokens} tokens, {vector:?}");
    };
    check();
    for kind in ["bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"] {
        edit(dir.path(), "tokenizer_config.json", |c| c["model_max_length"] = json!(1e30));
        let file = format!("sentence_{kind}_config.json");
        write_json(&dir.path().join(&file), &json!({ "max_seq_length": 8 })).unwrap();
        check();
        std::fs::remove_file(dir.path().join(&file)).unwrap();
    }
    assert_eq!(vector(dir.path(), text).0, 20, "nothing says a length");
    // A folder that is an encoder and no more is cut off there, too.
    std::fs::remove_file(dir.path().join("modules.json")).unwrap();
    edit(dir.path(), "tokenizer_config.json", |c| c["model_max_length"] = 8.into());
    assert_eq!(vector(dir.path(), text).0, 8);
}

#[test]
fn older_layouts_of_sentence_transformers_open() {
    let dir = fault("st-none-modelmax");
    edit(dir.path(), "modules.json", |c| {
        let dropout =
            json!({ "idx": 2, "name": "2", "path": "2_Dropout", "type": "sentence_transformers.models.Dropout" });
        c.as_array_mut().unwrap().push(dropout);
    });
    let expected = vector(dir.path(), "a cat");
    assert!((expected.1[0] + 0.1131).abs() < 1e-3, "{expected:?}");
    let inner = dir.path().join("0_Transformer");
    std::fs::create_dir(&inner).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        std::fs::rename(dir.path().join(file), inner.join(file)).unwrap();
    }
    edit(dir.path(), "modules.json", |c| c[0]["path"] = "0_Transformer".into());
    assert_eq!(vector(dir.path(), "a cat"), expected);
    assert_eq!(read_card(dir.path()).unwrap().vocabulary, Some(34));
}

#[test]
fn streamed_text_is_the_text_decoded_at_once() {
    let path = golden("faults/regex-decoder/tokenizer.json");
    let tokenizer = std::sync::Arc::new(Tokenizer::from_file(&path).unwrap());
    let ids = tokenizer.ids("the cat € 🙂 the").unwrap();
    let mut stream = tokenizer.stream(&ids[..2]);
    let streamed: String = ids[2..].iter().map(|&id| stream.push(id)).collect();
    assert_eq!(format!("the cat{}{}", streamed, stream.finish()), "the cat € 🙂 the");
}

#[test]
fn the_model_type_decides_which_architecture_a_folder_has() {
    let dir = copy("llama");
    for name in ["LLaMAForCausalLM", "LlamaModel"] {
        edit_config(dir.path(), |c| c["architectures"] = json!([name]));
        let model = open_text_model(dir.path(), &Device::flex(), &mut |_, _| {}).unwrap();
        assert_eq!(model.config, read_text_config(&golden("llama")).unwrap());
    }
    // A class that comes with code of its own may compute something else.
    edit_config(dir.path(), |c| {
        c["architectures"] = json!(["OtherForCausalLM"]);
        c["auto_map"] = json!({ "AutoModelForCausalLM": "modeling.OtherForCausalLM" });
    });
    check_complaint(dir.path(), &["OtherForCausalLM"]);
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn numbers_of_python_that_nobody_uses_do_no_harm() {
    let dir = copy("gpt2");
    let config = dir.path().join("config.json");
    replace(&config, "{", "{ \"unused\": [NaN, Infinity, -Infinity], ");
    let splitter = "\"type\": \"ByteLevel\",";
    replace(&dir.path().join("tokenizer.json"), splitter, &format!("{splitter} \"unused\": NaN,"));
    std::fs::write(dir.path().join("generation_config.json"), "{ \"top_p\": NaN, \"eos_token_id\": -1 }").unwrap();
    let model = open_text_model(dir.path(), &Device::flex(), &mut |_, _| {}).unwrap();
    assert_eq!(logits(&model), logits(&open_text_model(&golden("gpt2"), &Device::flex(), &mut |_, _| {}).unwrap()));
    replace(&config, "\"layer_norm_epsilon\": 1e-05", "\"layer_norm_epsilon\": NaN");
    check_complaint(dir.path(), &["layer_norm_epsilon", "NaN"]);
}

#[test]
fn minus_one_is_no_token() {
    let dir = copy("gpt2");
    std::fs::remove_file(dir.path().join("generation_config.json")).ok();
    edit_config(dir.path(), |c| {
        c["eos_token_id"] = json!([-1, 7]);
        c["bos_token_id"] = json!(-1);
    });
    let model = open_text_model(dir.path(), &Device::flex(), &mut |_, _| {}).unwrap();
    assert_eq!((model.eos, model.bos), (vec![7], None));
}

#[test]
fn a_pointer_is_told_as_one() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n";
    for file in ["config.json", "tokenizer.json", "model.safetensors", "pytorch_model.bin"] {
        let dir = copy("gpt2");
        if file == "pytorch_model.bin" {
            std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
        }
        std::fs::write(dir.path().join(file), pointer).unwrap();
        check_complaint(dir.path(), &[file, "pointer", "12345", "git lfs pull"]);
    }
    let dir = copy("gpt2");
    std::fs::write(dir.path().join("chat_template.jinja"), pointer).unwrap();
    let written = render_chat(&ChatTemplate::read(dir.path()), &crate::types::ChatPrompt::default());
    let told = UserError::from(written.unwrap_err()).to_string();
    assert!(["chat_template.jinja", "pointer", "git lfs pull"].iter().all(|word| told.contains(word)), "{told}");
}

fn renamed(dir: &Path, rename: impl Fn(&str) -> String) {
    let path = dir.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let renamed = safetensors::serialize(tensors.iter().map(|(name, view)| (rename(name), view)), None).unwrap();
    std::fs::write(path, renamed).unwrap();
}

#[test]
fn what_training_wraps_around_every_name_is_taken_off() {
    for (name, wrapper) in [("gpt2", "_orig_mod."), ("llama", "module."), ("gpt-neox", "module._orig_mod.")] {
        let dir = copy(name);
        renamed(dir.path(), |tensor| format!("{wrapper}{tensor}"));
        let open = |dir: &Path| logits(&open_text_model(dir, &Device::flex(), &mut |_, _| {}).unwrap());
        assert_eq!(open(dir.path()), open(&golden(name)), "{name}");
        let names = |dir: PathBuf| list_tensors(&dir).unwrap().into_iter().map(|t| t.name).collect::<Vec<_>>();
        assert_eq!(names(dir.path().to_owned()), names(golden(name)));
    }
}

#[test]
fn a_header_with_too_many_names_is_refused_by_their_number() {
    let dir = copy("gpt2");
    let entries = (0..100_001).map(|i| format!("\"t{i}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}"));
    let header = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    std::fs::write(dir.path().join("model.safetensors"), bytes).unwrap();
    check_complaint(dir.path(), &["model.safetensors", "100001 tensors", "100000"]);
}

#[test]
fn without_a_tokenizer_ids_are_read_and_texts_refused_with_the_reason() {
    for name in ["gpt2", "llama", "qwen2", "gemma2", "gpt-neox"] {
        let dir = copy(name);
        std::fs::remove_file(dir.path().join("tokenizer.json")).unwrap();
        let model = open_text_model(dir.path(), &Device::flex(), &mut |_, _| {}).unwrap();
        assert!(!logits(&model).is_empty());
        assert_eq!((model.tokenizer.token_text(5), model.tokenizer.decode(&[5, 17])), ("[5]".into(), "[5][17]".into()));
        let text = UserError::from(model.tokenizer.encode("a").unwrap_err()).to_string();
        assert!(text.contains("no tokenizer") && text.contains("tokenizer.json") && text.contains("ids"), "{text}");
        let saved = dir.path().join("saved");
        save_text_model(&model, &saved, crate::types::Precision::F32).unwrap();
        assert!(!saved.join("tokenizer.json").exists());
    }
    let dir = tempfile::tempdir().unwrap();
    copy_all(&golden("bert"), dir.path());
    std::fs::remove_file(dir.path().join("vocab.txt")).unwrap();
    let model = open_encoder_model(dir.path(), &Device::flex(), &mut |_, _| {}).unwrap();
    assert!(model.mask_id.is_none() && model.tokenizer.ids("a").is_err());
}

#[test]
fn a_missing_file_is_named_with_what_it_is_for() {
    let dir = copy("gpt2");
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    check_complaint(dir.path(), &["has no model.safetensors", "weights"]);
    check_complaint(&dir.path().join("elsewhere"), &["elsewhere is not there"]);
    let picture = golden("vit").join("picture-0.png");
    check_complaint(&picture, &["picture-0.png is not a model", "It is a file", ".gguf"]);
    check_complaint(tempfile::tempdir().unwrap().path(), &["is not a model folder", "config.json", "sizes"]);
}

/// Writes one more tensor into a folder's weights.
fn add_tensor(dir: &Path, name: &str, shape: Vec<usize>, values: &[f32]) {
    let path = dir.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let data: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &data).unwrap();
    let all = tensors.iter().map(|(name, view)| (name.to_owned(), view)).chain([(name.to_owned(), view)]);
    let rewritten = safetensors::serialize(all, None).unwrap();
    std::fs::write(path, rewritten).unwrap();
}

fn values(dir: &Path, name: &str) -> (Vec<usize>, Vec<f32>) {
    let bytes = std::fs::read(dir.join("model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = tensors.tensor(name).unwrap();
    let values =
        tensors::elements::Elements::decode(tensors::element_type::ElementType::Single(tensor.dtype()), tensor.data())
            .unwrap()
            .into_f32();
    (tensor.shape().to_vec(), values)
}

/// The scores of an encoder's head at the first token.
fn guesses(dir: &Path) -> Vec<f32> {
    let model = open_encoder_model(dir, &Device::flex(), &mut |_, _| {}).unwrap();
    let hidden = model.encoder.forward(&crate::nn::EncoderBatch::one(&[2, 9, 3]), &mut Hooks::off()).hidden;
    let scores = model.encoder.logits(hidden, &mut Hooks::off()).unwrap().into_data();
    scores.iter().take(model.config.shape().vocabulary).collect()
}

#[test]
fn a_decoder_in_an_encoders_file_counts_whatever_config_json_says() {
    for (name, embedding, decoder, bias) in [
        ("bert", "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight", "cls.predictions.bias"),
        ("roberta", "roberta.embeddings.word_embeddings.weight", "lm_head.decoder.weight", "lm_head.bias"),
        (
            "distilbert",
            "distilbert.embeddings.word_embeddings.weight",
            "vocab_projector.weight",
            "vocab_projector.bias",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        copy_all(&golden(name), dir.path());
        let tied = guesses(dir.path());
        let ((shape, matrix), (_, bias_values)) = (values(dir.path(), embedding), values(dir.path(), bias));
        add_tensor(dir.path(), decoder, shape, &matrix.iter().map(|x| -x).collect::<Vec<_>>());
        let own = guesses(dir.path());
        for ((own, tied), bias) in own.iter().zip(&tied).zip(&bias_values) {
            assert!((own - bias + tied - bias).abs() < 1e-4, "{name}: {own} is not the other way round from {tied}");
        }
        // The decoder's own bias is what is added, where there are two.
        if name != "distilbert" {
            let other: Vec<f32> = bias_values.iter().map(|x| x + 1.0).collect();
            add_tensor(dir.path(), &decoder.replace("weight", "bias"), vec![other.len()], &other);
            assert!(guesses(dir.path()).iter().zip(&own).all(|(a, b)| (a - b - 1.0).abs() < 1e-4), "{name}");
        }
    }
}
