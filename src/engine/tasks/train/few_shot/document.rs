//! Few-shot documents as text, and where their answers stand.

use crate::nn::Random;
use std::ops::Range;

/// How a document is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// With `{input}` and `{output}`; the output stands last.
    pub template: String,
    /// Put behind every example.
    pub separator: String,
}

/// The templates documents are written with. That of the shipped tables comes first.
pub(super) const TEMPLATES: [&str; 12] = [
    "{input} = {output}",
    "{input} -> {output}",
    "{input}: {output}",
    "{input} => {output}",
    "{input} is to {output}",
    "Input: {input}\nOutput: {output}",
    "Q: {input}\nA: {output}",
    "{input} | {output}",
    "Word: {input}\nAnswer: {output}",
    "{input} ~ {output}",
    "{input} >> {output}",
    "Question: {input}\nAnswer: {output}",
];

/// How often the first template is taken, beside its turn among all, and how often a sign nobody agreed on.
const USUAL: f32 = 0.35;
const MADE_UP: f32 = 0.15;
/// What made-up signs are written with.
const SIGNS: &[u8] = b"-=>~|:*#+/<&@%^";

impl Style {
    /// A style at random, none of the templates in `held_out`.
    pub(super) fn draw(held_out: &[String], random: &mut Random) -> Self {
        let known: Vec<&str> = TEMPLATES.into_iter().filter(|t| held_out.iter().all(|held| held != t)).collect();
        let template = match known.first() {
            Some(first) if random.uniform() >= USUAL => *known.get(random.below(known.len())).unwrap_or(first),
            _ => TEMPLATES[0],
        };
        let made_up = (random.uniform() < MADE_UP).then(|| made_up(random));
        let made_up = made_up.filter(|template| !held_out.contains(template));
        let template = made_up.as_deref().unwrap_or(template);
        // Where an example has two lines, a blank line tells examples apart.
        let separators: &[&str] =
            if template.contains('\n') { &["\n\n", "\n"] } else { &["\n", "\n", "\n", "\n", "; "] };
        Self { template: template.to_owned(), separator: separators[random.below(separators.len())].to_owned() }
    }
}

/// A template with one or two signs between input and output.
fn made_up(random: &mut Random) -> String {
    let sign: String = (0..1 + random.below(2)).map(|_| char::from(SIGNS[random.below(SIGNS.len())])).collect();
    format!("{{input}} {sign} {{output}}")
}

/// A text, and the stretches of it that are to be learned, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    pub text: String,
    /// Byte ranges: an answer with the space before it and the first character of the separator, which ends it.
    pub learned: Vec<Range<usize>>,
}

impl Document {
    /// A document that begins with an instruction, unless it is empty.
    pub(super) fn new(instruction: &str) -> Self {
        let mut text = instruction.to_owned();
        if !text.is_empty() {
            text.push('\n');
        }
        Self { text, learned: Vec::new() }
    }

    /// Adds an example. One that is not `learned` is only read.
    pub(super) fn push(&mut self, style: &Style, input: &str, output: &str, learned: bool) {
        let (before, after) = style.template.split_once("{output}").unwrap_or((&style.template, ""));
        self.text.push_str(&before.replace("{input}", input));
        let start = self.text.trim_end().len();
        self.text.push_str(output);
        self.text.push_str(after);
        let end = self.text.len() + style.separator.chars().next().map_or(0, char::len_utf8);
        self.text.push_str(&style.separator);
        if learned {
            self.learned.push(start..end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_marked_with_their_space_and_their_end() {
        let style = Style { template: "Q: {input}\nA: {output}".into(), separator: "\n\n".into() };
        let mut document = Document::new("Translate.");
        document.push(&style, "rot", "red", true);
        document.push(&style, "blau", "blue", false);
        assert_eq!(document.text, "Translate.\nQ: rot\nA: red\n\nQ: blau\nA: blue\n\n");
        assert_eq!(document.learned.len(), 1);
        assert_eq!(&document.text[document.learned[0].clone()], " red\n");
    }

    #[test]
    fn held_out_templates_are_never_drawn() {
        let held_out = ["{input} >> {output}".to_owned(), "{input} = {output}".to_owned()];
        let mut random = Random::new(1, 0);
        let drawn: Vec<Style> = (0..500).map(|_| Style::draw(&held_out[..1], &mut random)).collect();
        assert!(drawn.iter().all(|style| style.template != held_out[0]));
        let made_up = drawn.iter().filter(|style| !TEMPLATES.contains(&style.template.as_str())).count();
        assert!((40..110).contains(&made_up), "{made_up} of 500 have a sign of their own");
        let usual = drawn.iter().filter(|style| style.template == held_out[1]).count();
        assert!((150..300).contains(&usual), "{usual} of 500 are written the usual way");
    }
}
