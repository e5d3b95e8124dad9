//! Which columns of a table are what is asked, and which is the answer, by their names.

/// Read before what is asked, in this order: a table that has them asks nothing whole without them.
const BEFORE: [&str; 6] = ["instruction", "context", "premise", "sentence1", "hypothesis", "sentence2"];
/// Names of what is asked: the first that is there counts.
const INPUTS: [&str; 9] = ["input", "question", "text", "prompt", "sentence", "query", "source", "review", "word"];
/// Names of a column of texts that are no questions: the first that is there counts.
const TEXTS: [&str; 10] =
    ["text", "sentence", "sentence1", "content", "document", "input", "query", "question", "review", "word"];
/// Names of the answer.
const OUTPUTS: [&str; 15] = [
    "output",
    "answer",
    "label_text",
    "label_name",
    "label",
    "completion",
    "target",
    "response",
    "translation",
    "sentiment",
    "category",
    "class",
    "tag",
    "topic",
    "emotion",
];
/// Those whose answers are labels even where each is given once.
const LABELS: [&str; 9] =
    ["label_text", "label_name", "label", "sentiment", "category", "class", "tag", "topic", "emotion"];

/// The columns of a table that are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    asked: Vec<usize>,
    answer: usize,
    /// True when the name of the answer says that it is one of a few labels.
    pub are_labels: bool,
    /// Names of the columns that are not read.
    pub left_out: Vec<String>,
}

impl Columns {
    /// The first two, of a table without names.
    pub fn first_two() -> Self {
        Self { asked: vec![0], answer: 1, are_labels: false, left_out: Vec::new() }
    }

    /// Finds them among names; none where they do not name both sides.
    pub fn named<'a>(names: impl Iterator<Item = &'a str>) -> Option<Self> {
        let names: Vec<String> = names.map(|name| name.trim().to_ascii_lowercase()).collect();
        let place = |known: &&str| names.iter().position(|name| name == known);
        let answer = OUTPUTS.iter().find_map(place)?;
        let before = BEFORE.iter().filter_map(place);
        let input = INPUTS.iter().find_map(place);
        let asked: Vec<usize> = before.chain(input).collect();
        // A context alone asks nothing.
        if !asked.iter().any(|&column| names[column] != "context") {
            return None;
        }
        let is_read = |column: usize| column == answer || asked.contains(&column);
        let left_out = (0..names.len()).filter(|&c| !is_read(c) && !names[c].is_empty()).map(|c| names[c].clone());
        let left_out = left_out.collect();
        Some(Self { are_labels: LABELS.contains(&names[answer].as_str()), asked, answer, left_out })
    }

    /// True for a name of either side.
    pub fn knows(name: &str) -> bool {
        let known = BEFORE.iter().chain(&INPUTS).chain(&OUTPUTS);
        known.into_iter().any(|known| known.eq_ignore_ascii_case(name.trim()))
    }

    /// What is asked and the answer. `cell` gives the text of a column; none where a row has no such column.
    ///
    /// # Errors
    /// Those of `cell`.
    pub fn pair<E>(&self, cell: impl Fn(usize) -> Result<Option<String>, E>) -> Result<Option<[String; 2]>, E> {
        let (mut asked, mut has_any) = (Vec::new(), false);
        for &column in &self.asked {
            let part = cell(column)?;
            has_any |= part.is_some();
            asked.extend(part.filter(|part| !part.is_empty()));
        }
        Ok(cell(self.answer)?.filter(|_| has_any).map(|answer| [asked.join("\n"), answer]))
    }

    /// The usual names, for a person whose table has none of them.
    pub fn usual_names() -> String {
        format!("one field of {} and one of {}", INPUTS[..5].join(", "), OUTPUTS[..6].join(", "))
    }
}

/// The column of texts by its name; none where no name is a usual one.
pub fn text_column<'a>(names: impl Iterator<Item = &'a str>) -> Option<usize> {
    let names: Vec<String> = names.map(|name| name.trim().to_ascii_lowercase()).collect();
    TEXTS.iter().find_map(|known| names.iter().position(|name| name == known))
}

/// The column of labels by its name; none where no name is a usual one.
pub fn label_column<'a>(names: impl Iterator<Item = &'a str>) -> Option<usize> {
    let names: Vec<String> = names.map(|name| name.trim().to_ascii_lowercase()).collect();
    LABELS.iter().chain(&OUTPUTS).find_map(|known| names.iter().position(|name| name == known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(names: &str, row: &str) -> Option<[String; 2]> {
        let cells: Vec<&str> = row.split(',').collect();
        let columns = Columns::named(names.split(','))?;
        columns.pair::<()>(|column| Ok(cells.get(column).map(|&cell| cell.to_owned()))).unwrap()
    }

    #[test]
    fn instructions_and_contexts_are_part_of_what_is_asked() {
        let told = |input: &str, output: &str| Some([input.to_owned(), output.to_owned()]);
        assert_eq!(pair("Instruction,Input,Output", "Double it.,3,6"), told("Double it.\n3", "6"));
        assert_eq!(pair("instruction,input,output", "Say six.,,six"), told("Say six.", "six"));
        assert_eq!(
            pair("answer,question,context", "six,how many,there were six"),
            told("there were six\nhow many", "six")
        );
        assert_eq!(pair("context,answer", "a,b"), None);
        assert_eq!(pair("word,opposite", "a,b"), None);
        assert_eq!(pair("sentence,label", "a"), None, "a row without the column of answers");
    }

    #[test]
    fn what_is_not_read_is_named() {
        let columns = Columns::named(["id", "sentence", "label", ""].into_iter()).unwrap();
        assert_eq!((columns.left_out, columns.are_labels), (vec!["id".to_owned()], true));
        assert!(!Columns::named(["input", "output"].into_iter()).unwrap().are_labels);
    }
}
