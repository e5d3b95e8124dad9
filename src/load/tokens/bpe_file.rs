//! A tokenizer.json of byte-pair encoding, read straight into the library's tables.
//!
//! The library itself reads every model into a tree of JSON values and picks that apart once more. For 49,000 tokens and as many
//! merges the tree takes longer to build, and more memory, than everything else of the model that is not its weights.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use std::fmt;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::{AddedToken, Tokenizer};

/// The tokenizer of such a file. `None` where anything is not as it usually is, another kind of model for instance: the library
/// then reads the file, or says what is wrong with it.
///
/// # Panics
/// Where the library does, on merges that contradict the vocabulary.
pub(super) fn read(text: &[u8]) -> Option<Tokenizer> {
    let Whole { mut parts, bpe } = serde_json::from_slice(text).ok()?;
    let added = match parts.remove("added_tokens") {
        Some(Value::Array(tokens)) => tokens.into_iter().map(added_token).collect::<Option<Vec<_>>>()?,
        Some(_) => return None,
        None => Vec::new(),
    };
    // Everything but the model and the added tokens is small, and stays the library's to read.
    parts.insert("model".to_owned(), json!({ "type": "BPE", "vocab": {}, "merges": [] }));
    let mut tokenizer: Tokenizer = serde_json::from_value(Value::Object(parts)).ok()?;
    tokenizer.with_model(bpe.build()?);
    // Their ids depend on the vocabulary, so they come last.
    tokenizer.add_tokens(added).ok()?;
    Some(tokenizer)
}

fn added_token(token: Value) -> Option<AddedToken> {
    u32::try_from(token.get("id")?.as_u64()?).ok()?;
    serde_json::from_value(token).ok()
}

/// The whole file.
struct Whole {
    /// Its parts by name, without the model.
    parts: Map<String, Value>,
    bpe: Tables,
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;
        impl<'de> Visitor<'de> for Parts {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tokenizer")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Whole, A::Error> {
                let (mut parts, mut bpe) = (Map::new(), None);
                while let Some(key) = map.next_key::<String>()? {
                    let twice = match key.as_str() {
                        "model" => bpe.replace(map.next_value()?).is_some(),
                        _ => parts.insert(key, map.next_value()?).is_some(),
                    };
                    if twice {
                        return Err(A::Error::custom("a part stands there twice"));
                    }
                }
                Ok(Whole { parts, bpe: bpe.ok_or_else(|| A::Error::missing_field("model"))? })
            }
        }
        deserializer.deserialize_map(Parts)
    }
}

/// The model.
struct Tables {
    vocabulary: Vocab,
    merges: Merges,
    /// Its other settings by name.
    settings: Map<String, Value>,
}

impl Tables {
    fn build(mut self) -> Option<BPE> {
        self.settings.insert("vocab".to_owned(), json!({}));
        self.settings.insert("merges".to_owned(), json!([]));
        let settings: BPE = serde_json::from_value(Value::Object(self.settings)).ok()?;
        let mut builder = BPE::builder()
            .vocab_and_merges(self.vocabulary, self.merges)
            .fuse_unk(settings.fuse_unk)
            .byte_fallback(settings.byte_fallback)
            .ignore_merges(settings.ignore_merges);
        if let Some(dropout) = settings.dropout {
            builder = builder.dropout(dropout);
        }
        if let Some(unknown) = settings.unk_token {
            builder = builder.unk_token(unknown);
        }
        if let Some(prefix) = settings.continuing_subword_prefix {
            builder = builder.continuing_subword_prefix(prefix);
        }
        if let Some(suffix) = settings.end_of_word_suffix {
            builder = builder.end_of_word_suffix(suffix);
        }
        builder.build().ok()
    }
}

impl<'de> Deserialize<'de> for Tables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Tables;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a model of byte-pair encoding")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tables, A::Error> {
                let (mut settings, mut vocabulary, mut merges) = (Map::new(), None, None::<Pairs>);
                let mut is_named = false;
                while let Some(key) = map.next_key::<String>()? {
                    let twice = match key.as_str() {
                        "vocab" => vocabulary.replace(map.next_value()?).is_some(),
                        "merges" => merges.replace(map.next_value()?).is_some(),
                        "type" => {
                            // It mostly stands first, so that of another kind nothing is read in vain.
                            if map.next_value::<String>()? != "BPE" {
                                return Err(A::Error::custom("another kind of model"));
                            }
                            std::mem::replace(&mut is_named, true)
                        }
                        _ => settings.insert(key, map.next_value()?).is_some(),
                    };
                    if twice {
                        return Err(A::Error::custom("a field stands there twice"));
                    }
                }
                if !is_named {
                    return Err(A::Error::missing_field("type"));
                }
                let vocabulary = vocabulary.ok_or_else(|| A::Error::missing_field("vocab"))?;
                let Pairs(merges) = merges.ok_or_else(|| A::Error::missing_field("merges"))?;
                Ok(Tables { vocabulary, merges, settings })
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Pairs of pieces in the order in which they are joined: lists of two, or in older files two in one text with a space between.
struct Pairs(Merges);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("pairs of pieces")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Pairs, A::Error> {
                let (mut pairs, mut older) = (Merges::new(), None);
                while let Some(Pair { pieces, is_text }) = list.next_element()? {
                    if *older.get_or_insert(is_text) != is_text {
                        return Err(A::Error::custom("pairs are written in two ways"));
                    }
                    pairs.push(pieces);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

struct Pair {
    pieces: (String, String),
    /// True where both stand in one text.
    is_text: bool,
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Pair;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pair of pieces")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Pair, E> {
                let pair = text.split_once(' ').filter(|(_, second)| !second.contains(' '));
                match pair {
                    Some((first, second)) if !text.starts_with("#version") => {
                        Ok(Pair { pieces: (first.to_owned(), second.to_owned()), is_text: true })
                    }
                    _ => Err(E::custom("no pair")),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Pair, A::Error> {
                let short = |place| A::Error::invalid_length(place, &self);
                let first = list.next_element()?.ok_or_else(|| short(0))?;
                let second = list.next_element()?.ok_or_else(|| short(1))?;
                match list.next_element::<serde::de::IgnoredAny>()? {
                    None => Ok(Pair { pieces: (first, second), is_text: false }),
                    Some(_) => Err(short(3)),
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What both readings make of a text.
    fn both(json: &Value) -> (Option<Tokenizer>, tokenizers::Result<Tokenizer>) {
        let text = json.to_string();
        (read(text.as_bytes()), Tokenizer::from_bytes(&text))
    }

    fn learned() -> Value {
        let texts = ["the cat sat on the mat", "the dog sat on the log", "naïve café 日本"];
        let learned = crate::load::tokens::byte_bpe::learn_byte_bpe(texts.iter(), 300).unwrap();
        serde_json::from_str(&learned.to_json().unwrap()).unwrap()
    }

    #[test]
    fn it_reads_what_the_library_reads() {
        let mut json = learned();
        json["added_tokens"] = json!([
            { "id": 300, "content": "<|end|>", "single_word": false, "lstrip": false, "rstrip": true, "normalized": false, "special": true },
            { "id": 301, "content": "cat", "single_word": true, "lstrip": false, "rstrip": false, "normalized": true, "special": false },
        ]);
        json["model"]["ignore_merges"] = true.into();
        let mut older = json.clone();
        let merges = older["model"]["merges"].as_array_mut().unwrap();
        assert!(merges.len() > 5, "{merges:?}");
        for pair in merges {
            *pair = format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()).into();
        }
        for json in [json, older] {
            let (ours, library) = both(&json);
            let (ours, library) = (ours.expect("a usual file"), library.unwrap());
            assert_eq!(serde_json::to_value(&ours).unwrap(), serde_json::to_value(&library).unwrap());
            for text in ["the cat sat <|end|> on naïve logs", "concatenate 日本"] {
                let ids = |tokenizer: &Tokenizer| tokenizer.encode(text, true).unwrap().get_ids().to_vec();
                assert_eq!(ids(&ours), ids(&library));
            }
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_the_library() {
        let change = |change: &dyn Fn(&mut Value)| {
            let mut json = learned();
            change(&mut json);
            both(&json)
        };
        for (name, (ours, library)) in [
            ("a merge of three", change(&|json| json["model"]["merges"][0] = json!(["a", "b", "c"]))),
            ("a merge of one", change(&|json| json["model"]["merges"][0] = json!("ab"))),
            ("two ways", change(&|json| json["model"]["merges"][0] = json!("t h"))),
            ("an unknown piece", change(&|json| json["model"]["merges"][0] = json!(["t", "日"]))),
            ("no vocabulary", change(&|json| json["model"]["vocab"] = Value::Null)),
            ("an id below zero", change(&|json| json["model"]["vocab"]["t"] = (-1).into())),
            ("another version", change(&|json| json["version"] = "2.0".into())),
            ("a token without an id", change(&|json| json["added_tokens"] = json!([{ "content": "x" }]))),
            ("a setting of another type", change(&|json| json["model"]["fuse_unk"] = "yes".into())),
        ] {
            assert!(ours.is_none() && library.is_err(), "{name}");
        }
        let (ours, library) = change(&|json| {
            json["model"] = json!({ "type": "WordLevel", "vocab": { "a": 0, "?": 1 }, "unk_token": "?" });
        });
        assert!(ours.is_none() && library.is_ok());
    }
}
