//! A few-shot prompt: instruction, examples, query, and the template that joins them.

use crate::types::PairRows;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// One example pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shot {
    /// What is asked.
    pub input: String,
    /// What the answer should be.
    pub output: String,
    /// False leaves the example out without deleting it.
    pub on: bool,
}

/// Everything a person edits in the prompt panel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FewShotPrompt {
    /// Said once, at the start. Left out with the line break behind it when empty.
    pub instruction: String,
    /// The examples, in order.
    pub shots: Vec<Shot>,
    /// What the model is asked to answer.
    pub query: String,
    /// One example as text. `{input}` and `{output}` are replaced; the query uses the part before `{output}`.
    pub template: String,
    /// Put between examples.
    pub separator: String,
}

impl Default for FewShotPrompt {
    fn default() -> Self {
        Self {
            instruction: String::new(),
            shots: Vec::new(),
            query: String::new(),
            template: "{input} = {output}".to_owned(),
            separator: "\n".to_owned(),
        }
    }
}

/// What a stretch of the rendered prompt came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SegmentKind {
    /// The instruction.
    Instruction,
    /// Fixed text of the template, and separators.
    Template,
    /// The input of the shot with this row number.
    ShotInput(usize),
    /// The output of the shot with this row number.
    ShotOutput(usize),
    /// The query.
    Query,
}

/// A stretch of the rendered prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Byte range in the text.
    pub span: Range<usize>,
    /// What it came from.
    pub kind: SegmentKind,
}

/// Exactly what the model receives, and where each part of it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenderedPrompt {
    /// The text.
    pub text: String,
    /// Stretches in order, without gaps; empty ones are left out.
    pub segments: Vec<Segment>,
}

impl RenderedPrompt {
    fn push(&mut self, text: &str, kind: SegmentKind) {
        if text.is_empty() {
            return;
        }
        let start = self.text.len();
        self.text.push_str(text);
        self.segments.push(Segment { span: start..self.text.len(), kind });
    }

    /// What the byte at `offset` came from.
    #[must_use]
    pub fn kind_at(&self, offset: usize) -> Option<SegmentKind> {
        self.segments.iter().find(|s| s.span.contains(&offset)).map(|s| s.kind)
    }
}

impl FewShotPrompt {
    /// Renders the prompt. The query ends where its output would begin; trailing spaces there are cut off, because most
    /// tokenizers join a space with the word that follows it.
    #[must_use]
    pub fn render(&self) -> RenderedPrompt {
        let mut out = RenderedPrompt::default();
        if !self.instruction.is_empty() {
            out.push(&self.instruction, SegmentKind::Instruction);
            out.push("\n", SegmentKind::Template);
        }
        for (row, shot) in self.shots.iter().enumerate().filter(|(_, s)| s.on) {
            self.render_example(&mut out, &shot.input, SegmentKind::ShotInput(row), Some((&shot.output, row)));
            out.push(&self.separator, SegmentKind::Template);
        }
        self.render_example(&mut out, &self.query, SegmentKind::Query, None);
        out
    }

    fn render_example(&self, out: &mut RenderedPrompt, input: &str, kind: SegmentKind, output: Option<(&str, usize)>) {
        let (before_output, after_output) = self.template.split_once("{output}").unwrap_or((&self.template, ""));
        let before_output = if output.is_none() { before_output.trim_end() } else { before_output };
        let mut parts = before_output.split("{input}");
        out.push(parts.next().unwrap_or(""), SegmentKind::Template);
        for part in parts {
            out.push(input, kind);
            out.push(part, SegmentKind::Template);
        }
        if let Some((output, row)) = output {
            out.push(output, SegmentKind::ShotOutput(row));
            out.push(after_output, SegmentKind::Template);
        }
    }

    /// The white space between the end of a rendered prompt and its answer: what [`Self::render`] cuts off.
    #[must_use]
    pub fn gap(&self) -> &str {
        let before_output = self.template.split_once("{output}").map_or(self.template.as_str(), |(before, _)| before);
        &before_output[before_output.trim_end().len()..]
    }

    /// What stands between an answer and the next example: the rest of the template and the separator.
    #[must_use]
    pub fn tail(&self) -> String {
        let after_output = self.template.split_once("{output}").map_or("", |(_, after)| after);
        format!("{after_output}{}", self.separator)
    }

    /// What ends an answer: [`Self::tail`] up to and with its first line break. Without a line break, the white space at its
    /// end is left to what comes after.
    #[must_use]
    pub fn ending(&self) -> String {
        let tail = self.tail();
        match tail.find('\n') {
            Some(at) => tail[..=at].to_owned(),
            None => tail.trim_end().to_owned(),
        }
    }

    /// Rows copied from a spreadsheet or a CSV file, as [`PairRows::pasted`] reads them.
    #[must_use]
    pub fn parse_rows(text: &str) -> Vec<Shot> {
        PairRows::pasted(text).into_iter().map(|[input, output]| Shot { input, output, on: true }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colours() -> FewShotPrompt {
        FewShotPrompt {
            instruction: "German to English.".into(),
            shots: vec![
                Shot { input: "rot".into(), output: "red".into(), on: true },
                Shot { input: "blau".into(), output: "blue".into(), on: false },
                Shot { input: "gelb".into(), output: "yellow".into(), on: true },
            ],
            query: "weiß".into(),
            ..FewShotPrompt::default()
        }
    }

    #[test]
    fn renders_what_is_switched_on_and_ends_before_the_answer() {
        assert_eq!(colours().render().text, "German to English.\nrot = red\ngelb = yellow\nweiß =");
    }

    #[test]
    fn segments_cover_the_text_without_gaps() {
        let rendered = colours().render();
        let mut end = 0;
        for segment in &rendered.segments {
            assert_eq!(segment.span.start, end);
            end = segment.span.end;
        }
        assert_eq!(end, rendered.text.len());
        let at = rendered.text.find("yellow").unwrap();
        assert_eq!(rendered.kind_at(at), Some(SegmentKind::ShotOutput(2)));
    }

    #[test]
    fn an_answer_stands_between_gap_and_ending() {
        let written = |template: &str, separator: &str| {
            let prompt = FewShotPrompt { template: template.into(), separator: separator.into(), ..colours() };
            (prompt.gap().to_owned(), prompt.ending())
        };
        assert_eq!(written("{input} = {output}", "\n"), (" ".into(), "\n".into()));
        assert_eq!(written("Q: {input}\nA:{output}.", "\n\n"), (String::new(), ".\n".into()));
        assert_eq!(written("{input}\n{output}", "; "), ("\n".into(), ";".into()));
        assert_eq!(written("{input}", ""), (String::new(), String::new()));
    }

    #[test]
    fn rows_come_from_tabs_commas_and_arrows() {
        let rows = FewShotPrompt::parse_rows("a, b\tc\nd -> e\n\nf,g\nh");
        let pairs: Vec<_> = rows.iter().map(|s| (s.input.as_str(), s.output.as_str())).collect();
        assert_eq!(pairs, [("a, b", "c"), ("d", "e"), ("f", "g"), ("h", "")]);
    }
}
