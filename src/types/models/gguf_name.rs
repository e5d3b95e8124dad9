//! What names of GGUF files say: which model, and which part of it.

/// How such a file ends.
const ENDING: &str = ".gguf";
/// Digits of a part's number.
const DIGITS: usize = 5;
/// How files begin that hold what a model needs to see pictures, and no model.
const BESIDE: &str = "mmproj";

/// The name of a part, `before-00001-of-00003.gguf`, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GgufPart<'a> {
    /// What comes before the numbers.
    pub before: &'a str,
    /// Its own, counted from 1.
    pub number: usize,
    /// How many parts there are.
    pub count: usize,
}

impl<'a> GgufPart<'a> {
    /// The parts of a name; `None` for that of a file that is all of a model, or no GGUF file.
    #[must_use]
    pub fn of(name: &'a str) -> Option<Self> {
        let (rest, count) = number_at_end(name.strip_suffix(ENDING)?)?;
        let (before, number) = number_at_end(rest.strip_suffix("-of-")?)?;
        let before = before.strip_suffix('-')?;
        (1..=count).contains(&number).then_some(Self { before, number, count })
    }

    /// The name of another part.
    #[must_use]
    pub fn name(&self, number: usize) -> String {
        format!("{}-{number:0DIGITS$}-of-{:0DIGITS$}{ENDING}", self.before, self.count)
    }
}

fn number_at_end(text: &str) -> Option<(&str, usize)> {
    let (rest, digits) = text.split_at_checked(text.len().checked_sub(DIGITS)?)?;
    let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| Some((rest, digits.parse().ok()?)))?
}

/// What a person calls the model of a file, `None` for other files.
#[must_use]
pub fn gguf_stem(name: &str) -> Option<&str> {
    let stem = name.strip_suffix(ENDING)?;
    Some(GgufPart::of(name).map_or(stem, |part| part.before))
}

/// True for the first file of a model, or its only one.
#[must_use]
pub fn is_first_gguf(name: &str) -> bool {
    let is_whole_or_first = GgufPart::of(name).is_none_or(|part| part.number == 1);
    name.ends_with(ENDING) && is_whole_or_first && !name.to_lowercase().starts_with(BESIDE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_by_their_names() {
        let part = GgufPart::of("a-b-00002-of-00003.gguf").unwrap();
        assert_eq!((part.before, part.number, part.count), ("a-b", 2, 3));
        assert_eq!(part.name(3), "a-b-00003-of-00003.gguf");
        assert_eq!(gguf_stem("a-b-00002-of-00003.gguf"), Some("a-b"));
        assert_eq!(gguf_stem("a-b.Q4_K_M.gguf"), Some("a-b.Q4_K_M"));
        assert_eq!(gguf_stem("a.safetensors"), None);
        assert!(is_first_gguf("a-00001-of-00003.gguf") && !is_first_gguf("a-00002-of-00003.gguf"));
        assert!(is_first_gguf("a.gguf") && !is_first_gguf("mmproj-a-f16.gguf"));
        // Numbers that no part has.
        for name in [
            "a-00004-of-00003.gguf",
            "a-00000-of-00003.gguf",
            "a-1-of-3.gguf",
            "é-of-00003.gguf",
            "a-+0001-of-00003.gguf",
        ] {
            assert!(GgufPart::of(name).is_none(), "{name}");
        }
    }
}
