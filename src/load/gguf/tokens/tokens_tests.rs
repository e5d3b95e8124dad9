//! Ids beside those of the tokenizers that files were made of (`tests/golden/make_gguf.py`), and what is refused.

use super::read;
use crate::load::error::LoadError;
use crate::load::gguf::header::GgufFile;
use crate::load::source::source;
use crate::load::tokens::tokenizer::Tokenizer;
use crate::load::tokens::tokenizer_class::{TokenizerClass, UsualClass};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn tokenizer(way: &str) -> Tokenizer {
    let file = GgufFile::open(&golden(&format!("gguf/tokens-{way}.gguf"))).unwrap();
    read(&file, way, 1000).unwrap_or_else(|error| panic!("{way}: {error}"))
}

/// Texts, and the ids of each that the tokenizer of a way gave; none where that cannot be compared.
fn expected(way: &str) -> Vec<(String, Vec<u32>)> {
    let json: Value = serde_json::from_slice(&std::fs::read(golden("gguf/tokens.json")).unwrap()).unwrap();
    let (texts, ids) = (json["texts"].as_array().unwrap(), json["ids"][way].as_array().unwrap());
    let pairs = texts.iter().zip(ids).filter(|(_, ids)| !ids.is_null());
    let one = |(text, ids): (&Value, &Value)| {
        let ids = ids.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32);
        (text.as_str().unwrap().to_owned(), ids.collect())
    };
    pairs.map(one).collect()
}

fn check(way: &str) -> Arc<Tokenizer> {
    let tokenizer = Arc::new(tokenizer(way));
    let expected = expected(way);
    assert!(expected.len() > 20, "{way}: {} texts", expected.len());
    for (text, ids) in expected {
        assert_eq!(tokenizer.ids(&text).unwrap(), ids, "{way}: {text:?}");
    }
    tokenizer
}

#[test]
fn byte_level_ids_are_those_of_the_original_whichever_way_it_splits() {
    for way in ["gpt-2", "olmo", "smollm", "llama-bpe", "qwen2"] {
        let tokenizer = check(way);
        for text in ["a <|im_start|> b", "  tabs\t漢字 🙂\n"] {
            let ids = tokenizer.ids(text).unwrap();
            let own = if way == "llama-bpe" { &ids[1..] } else { &ids };
            assert_eq!(tokenizer.decode(own), text, "{way}");
        }
        let mark = tokenizer.token_id("<|im_start|>").unwrap();
        assert!(tokenizer.is_special(mark));
        assert!(!tokenizer.is_special(tokenizer.token_id("camelCase").unwrap()), "{way}: whole, and text all the same");
    }
}

#[test]
fn pieces_are_those_of_sentencepiece() {
    for way in ["llama", "gemma"] {
        let tokenizer = check(way);
        let ids = tokenizer.ids("the cat 漢").unwrap();
        assert_eq!(tokenizer.decode(&ids[1..]), "the cat 漢", "{way}");
    }
}

#[test]
fn word_pieces_are_those_of_the_vocabulary_they_were_made_of() {
    let folder = source(&golden("bert"));
    let usual = UsualClass::unless_named(TokenizerClass::Bert);
    let (original, own) = (folder.tokenizer(usual, 120).unwrap(), source(&golden("gguf/bert.gguf")));
    let own = own.tokenizer(usual, 120).unwrap();
    let texts: Value = serde_json::from_slice(&std::fs::read(golden("bert/texts.json")).unwrap()).unwrap();
    let mut capitals = 0;
    for text in texts["texts"].as_array().unwrap().iter().filter_map(Value::as_str) {
        // The vocabulary has capitals, so the file counts them, and the folder's settings do not.
        let lower = text.to_lowercase();
        capitals += usize::from(lower != text);
        if lower == text && text.is_ascii() {
            assert_eq!(own.ids(text).unwrap(), original.ids(text).unwrap(), "{text:?}");
        }
    }
    assert!(capitals > 3);
    assert_eq!(own.ids("unaffable").unwrap(), original.ids("unaffable").unwrap());
    assert_ne!(own.ids("Hello").unwrap(), own.ids("hello").unwrap());
}

#[test]
fn special_tokens_and_the_template_come_from_the_metadata() {
    let source = source(&golden("gguf/tokens-smollm.gguf"));
    assert_eq!(source.special_token("eos_token").unwrap().as_deref(), Some("<|im_end|>"));
    assert_eq!(source.special_token("mask_token").unwrap(), None);
    let chat = source.chat_template().unwrap();
    assert_eq!(chat.special_tokens()["bos_token"], "<|endoftext|>");
    assert!(source.has_chat_template());
}

/// A file with a text of its metadata changed to one that is as long.
fn changed(way: &str, from: &str, to: &str) -> Result<Tokenizer, LoadError> {
    assert_eq!(from.len(), to.len());
    let mut bytes = std::fs::read(golden(&format!("gguf/tokens-{way}.gguf"))).unwrap();
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    std::fs::write(&path, bytes).unwrap();
    read(&GgufFile::open(&path)?, "m", 1000)
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let told = |result: Result<Tokenizer, LoadError>| match result {
        Err(LoadError::UnsupportedOption { field, value, .. }) => format!("{field} = {value}"),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(changed("smollm", "smollm", "mollsm")), "tokenizer.ggml.pre = mollsm");
    assert_eq!(told(changed("smollm", "gpt2", "rwkv")), "tokenizer.ggml.model = rwkv");
    let none = changed("smollm", "tokenizer.ggml.model", "tokenizer.ggml.mo_el").unwrap();
    assert!(none.is_none() && none.ids("a").is_err());
    // A list of another length, and none at all.
    assert!(matches!(changed("llama", "tokenizer.ggml.scores", "tokenizer.ggml.sc_res"), Err(LoadError::Field { .. })));
}
