//! Few-shot documents as text, and where their answers stand.

use super::words::Words;
use crate::nn::Random;
use crate::types::FewShotTask;
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
    /// A style at random, none of the templates that are held out.
    pub(super) fn draw(task: &FewShotTask, words: &Words, random: &mut Random) -> Self {
        let held_out = &task.held_out_templates;
        let known: Vec<&str> = TEMPLATES.into_iter().filter(|t| held_out.iter().all(|held| held != t)).collect();
        let template = match known.first() {
            Some(first) if random.uniform() >= USUAL => *known.get(random.below(known.len())).unwrap_or(first),
            _ => TEMPLATES[0],
        };
        let made_up = (random.uniform() < MADE_UP).then(|| with_sign(random));
        let is_free = task.made_up_templates > 0.0 && random.unit() < task.made_up_templates;
        let made_up = if is_free { Some(of_anything(words, random)) } else { made_up };
        let made_up = made_up.filter(|template| !held_out.contains(template));
        let template = made_up.as_deref().unwrap_or(template);
        // Where an example has two lines, a blank line tells examples apart.
        let separators: &[&str] =
            if template.contains('\n') { &["\n\n", "\n"] } else { &["\n", "\n", "\n", "\n", "; "] };
        Self { template: template.to_owned(), separator: separators[random.below(separators.len())].to_owned() }
    }
}

/// A template of random words and any signs.
fn of_anything(words: &Words, random: &mut Random) -> String {
    let mut word = || words.supply(random).any(random);
    let (first, second) = (word(), word());
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
    };
    let any_sign: Vec<char> = ('!'..='~').filter(|sign| sign.is_ascii_punctuation() && !"{}".contains(*sign)).collect();
    match random.below(4) {
        0 => {
            let sign: String = (0..1 + random.below(2)).map(|_| any_sign[random.below(any_sign.len())]).collect();
            format!("{{input}} {sign} {{output}}")
        }
        1 => format!("{{input}} {first} {{output}}"),
        2 => format!("{first}: {{input}}, {second}: {{output}}"),
        _ => format!("{}: {{input}}\n{}: {{output}}", capital(&first), capital(&second)),
    }
}

/// A template with one or two signs between input and output.
fn with_sign(random: &mut Random) -> String {
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
        let (held_out, usual) = ("{input} >> {output}", "{input} = {output}");
        let mut task: FewShotTask = toml::from_str("context = 64\ntasks = []\nstages = []").unwrap();
        task.held_out_templates = vec![held_out.to_owned()];
        let words = Words::new(vec!["means".to_owned()]);
        let mut random = Random::new(1, 0);
        let drawn: Vec<Style> = (0..500).map(|_| Style::draw(&task, &words, &mut random)).collect();
        assert!(drawn.iter().all(|style| style.template != held_out));
        let made_up = drawn.iter().filter(|style| !TEMPLATES.contains(&style.template.as_str())).count();
        assert!((40..110).contains(&made_up), "{made_up} of 500 have a sign of their own");
        let usual = drawn.iter().filter(|style| style.template == usual).count();
        assert!((150..300).contains(&usual), "{usual} of 500 are written the usual way");

        task.made_up_templates = 1.0;
        let drawn: Vec<String> = (0..4000).map(|_| Style::draw(&task, &words, &mut random).template).collect();
        for template in &drawn {
            assert!(template != held_out && template.ends_with(" {output}"), "{template}");
            assert_eq!((template.matches("{input}").count(), template.matches('{').count()), (1, 2), "{template}");
        }
        for expected in ["{input} means {output}", "means: {input}, means: {output}", "Means: {input}\nMeans: {output}"]
        {
            assert!(drawn.iter().any(|template| template == expected), "{expected} is never drawn");
        }
    }
}
