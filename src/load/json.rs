//! JSON as Python writes it: with `NaN`, `Infinity` and `-Infinity`, which are no JSON and stand in the files of many models.
//!
//! Such a number becomes an object that no field can be read as, so a setting that is used and is no number is refused by its
//! name, and one that nobody asks for does no harm.

use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// The only key of the object that stands for a number that is not finite.
const KEY: &str = "not a finite number";
/// As Python writes them; the longest first, so that a sign is not left behind.
const WORDS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// Reads a value from JSON as Python writes it.
///
/// # Errors
/// What is wrong with it, in the places of the text as it was given.
pub(in crate::load) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, serde_json::Error> {
    let first = match serde_json::from_slice(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    match strict(text) {
        Cow::Borrowed(_) => Err(first),
        Cow::Owned(text) => serde_json::from_slice(&text),
    }
}

/// The text with an object in the place of every number that is not finite.
pub(in crate::load) fn strict(text: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    let (mut place, mut copied, mut in_string) = (0, 0, false);
    while let Some(&byte) = text.get(place) {
        match byte {
            b'\\' if in_string => place += 1,
            b'"' => in_string = !in_string,
            b'-' | b'I' | b'N' if !in_string => {
                if let Some(word) = WORDS.iter().find(|word| text[place..].starts_with(word.as_bytes())) {
                    let out = out.get_or_insert_default();
                    out.extend_from_slice(&text[copied..place]);
                    out.extend_from_slice(format!("{{\"{KEY}\": \"{word}\"}}").as_bytes());
                    place += word.len();
                    copied = place;
                    continue;
                }
            }
            _ => {}
        }
        place += 1;
    }
    match out {
        None => Cow::Borrowed(text),
        Some(mut out) => {
            out.extend_from_slice(text.get(copied..).unwrap_or_default());
            Cow::Owned(out)
        }
    }
}

/// True for what stands for a number that is not finite.
pub(in crate::load) fn is_not_finite(value: &serde_json::Value) -> bool {
    value.as_object().is_some_and(|map| map.len() == 1 && map.contains_key(KEY))
}

/// True for what stands for positive infinity.
pub(in crate::load) fn is_endless(value: &serde_json::Value) -> bool {
    is_not_finite(value) && value[KEY] == "Infinity"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn numbers_that_are_none_are_read_and_texts_that_look_like_them_are_kept() {
        let text = br#"{"a": NaN, "b": [-Infinity, Infinity, -1], "c": "NaN \" Infinity\\", "NaN": "x"}"#;
        let value: Value = parse(text).unwrap();
        assert!(is_not_finite(&value["a"]) && is_not_finite(&value["b"][0]) && is_not_finite(&value["b"][1]));
        assert_eq!(
            (&value["b"][2], &value["c"], &value["NaN"]),
            (&json!(-1), &json!("NaN \" Infinity\\"), &json!("x"))
        );
        assert_eq!(value["b"][0].to_string(), r#"{"not a finite number":"-Infinity"}"#);
    }

    #[test]
    fn what_is_no_json_is_told_where_it_is() {
        for text in ["{ \"a\": ", "{\"a\": Nan}", "{\"a\": NaN", "\"\\", ""] {
            assert!(parse::<Value>(text.as_bytes()).is_err(), "{text}");
        }
        assert!(matches!(strict(b"{\"a\": 1e400}"), Cow::Borrowed(_)));
    }
}
