//! How many examples fit into the context, told before anything is run.
//!
//! A prompt that is shorter in bytes than the context is in tokens fits for certain. Only for a longer one the tokenizer is
//! asked.

use crate::engine::Work;
use crate::types::{FewShotPrompt, JobId, ModelId, PromptToken, TokenizeReport};
use crate::ui::{Answer, Ask, Cx};
use std::collections::BTreeSet;
use std::ops::Range;

/// Counted prompts that are kept: two columns, and the ones before the last change.
const KEPT: usize = 4;
/// Tokens that may be added around a text, and where a cut changes how its neighbours are split.
const SLACK: usize = 4;

/// Tokens of a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Of each example that is switched on, its separator included.
    pub examples: Vec<usize>,
    /// Of everything else.
    pub rest: usize,
}

impl Counts {
    fn of(prompt: &FewShotPrompt, tokens: &[PromptToken]) -> Self {
        let blocks = blocks(prompt);
        let inside = |range: &Range<usize>| tokens.iter().filter(|t| range.contains(&t.span.start)).count();
        let examples: Vec<usize> = blocks.iter().map(inside).collect();
        Self { rest: tokens.len().saturating_sub(examples.iter().sum()), examples }
    }

    /// How many of the first `takes` examples must be left out at the front, so that `reserve` tokens remain.
    pub fn cut(&self, takes: usize, reserve: usize, context: usize) -> usize {
        let taken = &self.examples[..takes.min(self.examples.len())];
        let room = context.saturating_sub(self.rest + reserve + SLACK);
        let mut sum: usize = taken.iter().sum();
        let mut cut = 0;
        while cut < taken.len() && sum > room {
            sum -= taken[cut];
            cut += 1;
        }
        cut
    }
}

/// Byte ranges of the examples that are switched on, in the rendered prompt.
fn blocks(prompt: &FewShotPrompt) -> Vec<Range<usize>> {
    let query = FewShotPrompt { shots: Vec::new(), instruction: String::new(), ..prompt.clone() }.render().text.len();
    let mut part = FewShotPrompt { shots: Vec::new(), ..prompt.clone() };
    let mut start = part.render().text.len() - query;
    let mut ranges = Vec::new();
    for shot in prompt.shots.iter().filter(|shot| shot.on) {
        part.shots = vec![shot.clone()];
        part.instruction.clear();
        let end = start + part.render().text.len() - query;
        ranges.push(start..end);
        start = end;
    }
    ranges
}

/// True when a text of so many bytes surely leaves `reserve` tokens: a token stands for at least one byte.
pub(super) fn surely_fits(bytes: usize, reserve: usize, context: usize) -> bool {
    bytes + reserve + SLACK <= context
}

/// Asks the tokenizer for the prompt of each column.
#[derive(Default)]
pub(super) struct Counter {
    known: Vec<(ModelId, FewShotPrompt, Counts)>,
    columns: [Ask<(ModelId, FewShotPrompt)>; 2],
}

impl Counter {
    /// The counts of a prompt, if they have come.
    pub fn get(&self, model: ModelId, prompt: &FewShotPrompt) -> Option<&Counts> {
        self.known.iter().find(|(of, counted, _)| *of == model && counted == prompt).map(|(_, _, counts)| counts)
    }

    /// Takes in answers. True when there were any.
    pub fn hear(&mut self, cx: &Cx<'_>) -> bool {
        let mut heard = false;
        for column in &self.columns {
            let (Some((model, prompt)), Answer::New(report)) =
                (column.question(), column.answer::<TokenizeReport>(cx.state))
            else {
                continue;
            };
            if self.get(*model, prompt).is_none() {
                self.known.push((*model, prompt.clone(), Counts::of(prompt, &report.tokens)));
                heard = true;
            }
        }
        let old = self.known.len().saturating_sub(KEPT);
        self.known.drain(..old);
        heard
    }

    /// Asks for the counts of a column's prompt, unless that was done already.
    pub fn ask(&mut self, column: usize, model: ModelId, prompt: &FewShotPrompt, cx: &mut Cx<'_>) {
        self.columns[column].follow((model, prompt.clone()), 0.0, cx, |(model, prompt)| {
            (*model, Work::Tokenize(prompt.render().text.into()))
        });
    }

    /// The jobs whose answers must be kept.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.columns.iter().for_each(|column| column.shows(shown));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Shot;

    fn prompt() -> FewShotPrompt {
        let shot = |input: &str, on| Shot { input: input.into(), output: "x".into(), on };
        FewShotPrompt {
            instruction: "Do it.".into(),
            shots: vec![shot("one", true), shot("two words", false), shot("three words here", true)],
            query: "q".into(),
            ..FewShotPrompt::default()
        }
    }

    /// A token a word.
    fn tokens(text: &str) -> Vec<PromptToken> {
        let mut tokens = Vec::new();
        let mut start = 0;
        for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
            if c.is_whitespace() && at > start {
                tokens.push(PromptToken { id: 0, text: text[start..at].into(), span: start..at });
                start = at;
            }
        }
        tokens
    }

    #[test]
    fn blocks_are_the_examples_with_their_separators() {
        let prompt = prompt();
        let text = prompt.render().text;
        let parts: Vec<&str> = blocks(&prompt).into_iter().map(|range| &text[range]).collect();
        assert_eq!(parts, ["one = x\n", "three words here = x\n"]);
    }

    #[test]
    fn examples_are_cut_from_the_front_until_the_rest_fits() {
        let prompt = prompt();
        let counts = Counts::of(&prompt, &tokens(&prompt.render().text));
        assert_eq!((counts.examples.iter().sum::<usize>() + counts.rest), tokens(&prompt.render().text).len());
        let counts = Counts { examples: vec![10, 20, 30], rest: 6 };
        let cut = |context| counts.cut(3, 5, context + SLACK);
        assert_eq!([cut(71), cut(70), cut(61), cut(60), cut(41), cut(40), cut(3)], [0, 1, 1, 2, 2, 3, 3]);
        // The first example alone.
        assert_eq!([counts.cut(1, 5, 21 + SLACK), counts.cut(1, 5, 20 + SLACK)], [0, 1]);
    }
}
