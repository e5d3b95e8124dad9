//! What an edit does to the values it names, as a person writes it.

use std::fmt;
use std::str::FromStr;

/// What stands behind the `=` of an edit.
#[derive(Clone, Debug, PartialEq)]
pub enum EditChange {
    /// They become 0.
    Zero,
    /// They become their mean over the prompt's positions.
    Mean,
    /// They become their mean over all tokens of other prompts, as the unedited model reads those.
    MeanOver(PromptSet),
    /// They become those of another prompt, as the unedited model reads it: position for position.
    From(String),
    /// They are multiplied.
    Scale(f64),
    /// Scores become so low that the key is not seen by others.
    Hide,
    /// Two positions change places.
    Swap,
    /// A block adds nothing to the residual stream.
    Skip,
}

/// Every factor is a number.
impl Eq for EditChange {}

/// Prompts that a mean is taken over, perhaps under a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromptSet {
    /// What a person calls them; may be empty.
    pub name: String,
    /// The prompts; at least one.
    pub texts: Vec<String>,
}

impl FromStr for EditChange {
    type Err = String;

    /// # Errors
    /// What is wrong with it, in a sentence.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (word, rest) = text.split_at(text.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(text.len()));
        let rest = rest.trim();
        let unknown =
            || format!("{text:?} is none of zero, mean, mean over [..], scale X, from \"..\", hide, swap and skip.");
        match (word, rest) {
            ("zero", "") => Ok(Self::Zero),
            ("mean", "") => Ok(Self::Mean),
            ("mean", rest) => match rest.strip_prefix("over") {
                Some(set) => prompt_set(set.trim()).map(Self::MeanOver),
                None => Err(unknown()),
            },
            ("from", "") => Err("from needs a prompt behind it.".to_owned()),
            ("from", rest) => match serde_json::from_str::<String>(rest) {
                Ok(prompt) => Ok(Self::From(prompt)),
                Err(_) => Err(format!("{rest} is no prompt in double quotes.")),
            },
            ("scale", "") => Err("scale needs a number behind it.".to_owned()),
            ("scale", factor) => match factor.parse::<f64>().ok().filter(|factor| factor.is_finite()) {
                Some(factor) => Ok(Self::Scale(factor)),
                None => Err(format!("{factor:?} is no number to scale with.")),
            },
            ("hide", "") => Ok(Self::Hide),
            ("swap", "") => Ok(Self::Swap),
            ("skip", "") => Ok(Self::Skip),
            _ => Err(unknown()),
        }
    }
}

/// `"NAME" ["a prompt", "another"]`, the name left out or not.
fn prompt_set(text: &str) -> Result<PromptSet, String> {
    let wrong = || format!("{text:?} is no list of prompts such as \"name\" [\"a prompt\", \"another\"].");
    let mut parts = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
    let mut values = Vec::new();
    for part in &mut parts {
        values.push(part.map_err(|_| wrong())?);
    }
    let (name, list) = match &values[..] {
        [list] => (String::new(), list),
        [serde_json::Value::String(name), list] => (name.clone(), list),
        _ => return Err(wrong()),
    };
    let texts: Vec<String> = serde_json::from_value(list.clone()).map_err(|_| wrong())?;
    if texts.is_empty() { Err("A mean is over one prompt at least.".to_owned()) } else { Ok(PromptSet { name, texts }) }
}

/// A text in double quotes, on one line.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl fmt::Display for EditChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("zero"),
            Self::Mean => f.write_str("mean"),
            Self::MeanOver(set) => write!(f, "mean over {set}"),
            Self::From(prompt) => write!(f, "from {}", quoted(prompt)),
            Self::Scale(factor) => write!(f, "scale {factor}"),
            Self::Hide => f.write_str("hide"),
            Self::Swap => f.write_str("swap"),
            Self::Skip => f.write_str("skip"),
        }
    }
}

impl fmt::Display for PromptSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            write!(f, "{} ", quoted(&self.name))?;
        }
        let texts: Vec<String> = self.texts.iter().map(|text| quoted(text)).collect();
        write!(f, "[{}]", texts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Edit;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn prompts_of_any_letters_stand_on_one_line_and_come_back(
            name in any::<String>(), texts in prop::collection::vec(any::<String>(), 1..4)
        ) {
            let changes = [EditChange::From(texts[0].clone()), EditChange::MeanOver(PromptSet { name, texts })];
            for change in changes {
                let line = format!("blocks.4.attn.z[2]@-1 = {change}");
                prop_assert!(!line.contains('\n'));
                let edit: Edit = line.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
                prop_assert_eq!((edit.to_string(), edit.change), (line, change));
            }
        }
    }
}
