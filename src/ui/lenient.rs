//! Reads what was saved by another version, or was damaged, field by field: what is understood counts, the rest has its defaults.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// As much of a saved value as is understood. False when something was not.
pub(super) fn read<T: Default + Serialize + DeserializeOwned>(saved: &Value) -> (T, bool) {
    if let Ok(value) = T::deserialize(saved) {
        return (value, true);
    }
    let (value, is_whole) = read_over(serde_json::to_value(T::default()).unwrap_or_default(), saved);
    (value.unwrap_or_default(), is_whole)
}

/// The same for what has no defaults of its own: what is not understood stays as it is in `whole`.
pub(super) fn read_over<T: DeserializeOwned>(mut whole: Value, saved: &Value) -> (Option<T>, bool) {
    if let Ok(value) = T::deserialize(saved) {
        return (Some(value), true);
    }
    take_in(&mut whole, "", saved, &|value| T::deserialize(value).is_ok());
    (T::deserialize(&whole).ok(), false)
}

/// Puts a saved value in its place in `whole` where that fits, else as many of its fields as do.
fn take_in(whole: &mut Value, at: &str, saved: &Value, fits: &dyn Fn(&Value) -> bool) {
    let Some(place) = whole.pointer_mut(at) else { return };
    let before = std::mem::replace(place, saved.clone());
    if fits(whole) {
        return;
    }
    let Some(place) = whole.pointer_mut(at) else { return };
    *place = before;
    let (Value::Object(fields), Value::Object(_)) = (saved, &*place) else { return };
    for (name, field) in fields {
        take_in(whole, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), field, fits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        #[default]
        Red,
        Blue,
    }

    #[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
    #[serde(default)]
    struct Inner {
        colour: Colour,
        count: usize,
    }

    #[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
    #[serde(default)]
    struct Outer {
        text: String,
        inner: Inner,
    }

    #[test]
    fn one_word_that_is_not_known_costs_nothing_else() {
        let saved = json!({ "text": "typed", "inner": { "colour": "sepia", "count": 3 }, "new": 1 });
        let (read, whole) = read::<Outer>(&saved);
        assert_eq!(read, Outer { text: "typed".into(), inner: Inner { colour: Colour::Red, count: 3 } });
        assert!(!whole);
    }

    #[test]
    fn a_value_of_another_type_is_left_out_alone() {
        let (read, whole) = read::<Outer>(&json!({ "text": 5, "inner": { "colour": "blue" } }));
        assert_eq!(read, Outer { text: String::new(), inner: Inner { colour: Colour::Blue, count: 0 } });
        assert!(!whole);
        assert_eq!(super::read::<Outer>(&json!("no object")), (Outer::default(), false));
        assert_eq!(
            super::read::<Outer>(&json!({ "text": "a" })),
            (Outer { text: "a".into(), ..Outer::default() }, true)
        );
    }
}
