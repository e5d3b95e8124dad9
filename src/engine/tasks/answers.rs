//! Asks a list of queries with one prompt.
//!
//! Every query is tokenized with its whole prompt, so nothing depends on where a token ends; what all prompts begin with
//! (instruction and examples, mostly) is then read once. An answer is scored with its end: the white space before it
//! ([`Opening`]), its text, and the [ending](FewShotPrompt::ending) of the prompt, which tells a whole answer from the beginning
//! of a longer one. Without labels the right answer is read in one pass (teacher forcing): greedy decoding would write it
//! exactly when each of its tokens is the most likely one. The same text in other tokens would count as wrong.

use super::continuations::{Continuations, Scored, Sequence};
use super::opening::Opening;
use super::prompt;
use super::shares::{calibrated, likeliest, mean, shares};
use crate::load::TextModel;
use crate::types::{Answer, BatchSpec, CONTENT_FREE, FewShotPrompt, UserError};

/// Queries on their way through a model.
pub(super) struct Asking {
    queries: Vec<[String; 2]>,
    labels: Vec<String>,
    cut: usize,
    continuations: Continuations,
    /// Sequences at the front that belong to queries that say nothing; 0 without calibration.
    content_free: usize,
    /// Sequences whose scores have been used.
    used: usize,
    /// Mean shares of the labels for queries that say nothing.
    prior: Option<Vec<f64>>,
    answers: Vec<Answer>,
}

impl Asking {
    /// Tokenizes everything, and leaves out examples at the front where the longest prompt would not fit in the context.
    ///
    /// # Errors
    /// When there is no query, a text cannot be tokenized, an answer has no token, a query does not fit even without
    /// examples, or an edit names what is not there.
    pub(super) fn new(model: &TextModel, spec: BatchSpec) -> Result<Self, UserError> {
        let BatchSpec { prompt, queries, labels, calibrate, edits } = spec;
        if queries.is_empty() {
            return Err(no_query());
        }
        for answer in labels.iter().chain(queries.iter().map(|[_, expected]| expected)) {
            prompt::check_answer(model, answer)?;
        }
        let content_free = if calibrate && !labels.is_empty() { CONTENT_FREE.as_slice() } else { &[] };
        let asked = Asked { model, content_free, queries: &queries, labels: &labels, ending: ending(model, &prompt)? };
        let (cut, sequences) = asked.fitting(&prompt)?;
        let content_free = content_free.len() * labels.len();
        let continuations = Continuations::new(model, sequences, &edits)?;
        Ok(Self { queries, labels, cut, continuations, content_free, used: 0, prior: None, answers: Vec::new() })
    }

    /// Reads a stretch of the prompt, or a batch of answers; true once every query is answered.
    ///
    /// # Errors
    /// When the scores are not numbers.
    pub(super) fn step(&mut self, model: &TextModel) -> Result<bool, UserError> {
        self.continuations.step(model)?;
        let scores = self.continuations.scores();
        if self.used < self.content_free && scores.len() >= self.content_free {
            let of_query = |scores: &[Scored]| shares(scores.iter().map(Scored::sum));
            let lists: Vec<Vec<f64>> = scores[..self.content_free].chunks(self.labels.len()).map(of_query).collect();
            self.prior = Some(mean(&lists));
            self.used = self.content_free;
        }
        while self.used >= self.content_free
            && let Some(answer) = self.next_answer(model)
        {
            self.answers.push(answer);
        }
        Ok(self.answers.len() == self.queries.len())
    }

    /// Queries that are answered, and all.
    pub(super) fn progress(&self) -> (u64, u64) {
        (self.answers.len() as u64, self.queries.len() as u64)
    }

    /// The answers so far.
    pub(super) fn answers(&self) -> &[Answer] {
        &self.answers
    }

    /// The answers so far.
    pub(super) fn into_answers(self) -> Vec<Answer> {
        self.answers
    }

    /// Examples left out at the front because the prompts would not fit in the context.
    pub(super) fn cut(&self) -> usize {
        self.cut
    }

    /// The next answer, if all of it is scored.
    fn next_answer(&mut self, model: &TextModel) -> Option<Answer> {
        let [input, expected] = self.queries.get(self.answers.len())?;
        let targets = targets(&self.labels, expected);
        let scores = self.continuations.scores().get(self.used..self.used + targets.len())?;
        let right = &scores[targets.iter().position(|target| *target == expected)?];
        let (predicted, correct, shares) = if self.labels.is_empty() {
            let (written, correct) = written(model, self.continuations.sequence(self.used), right, expected);
            (written, correct, Vec::new())
        } else {
            let mut shares = shares(scores[..self.labels.len()].iter().map(Scored::sum));
            if let Some(prior) = &self.prior {
                shares = calibrated(&shares, prior);
            }
            let predicted = self.labels[likeliest(&shares)].clone();
            let correct = predicted == *expected;
            (predicted, correct, shares)
        };
        self.used += targets.len();
        let (input, expected, log_prob) = (input.clone(), expected.clone(), right.sum());
        Some(Answer { input, expected, predicted, correct, log_prob, shares })
    }
}

/// What is asked, before it is known how many examples fit.
struct Asked<'a> {
    model: &'a TextModel,
    content_free: &'a [&'a str],
    queries: &'a [[String; 2]],
    labels: &'a [String],
    ending: String,
}

impl Asked<'_> {
    /// The fewest examples that have to be left out at the front, and the sequences without them.
    fn fitting(&self, prompt: &FewShotPrompt) -> Result<(usize, Vec<Sequence>), UserError> {
        let context = self.model.lm.context();
        let over = |sequences: &[Sequence]| {
            let longest = sequences.iter().map(Sequence::read).max().unwrap_or(0);
            longest.saturating_sub(context)
        };
        let whole = self.sequences(prompt, 0)?;
        if over(&whole) == 0 {
            return Ok((0, whole));
        }
        // `too_few` left out is not enough, `enough` is.
        let (mut too_few, mut enough) = (0, prompt.shots.iter().filter(|shot| shot.on).count());
        let mut fitting = self.sequences(prompt, enough)?;
        if over(&fitting) > 0 {
            return Err(too_long(self.model, over(&fitting)));
        }
        while too_few + 1 < enough {
            let middle = usize::midpoint(too_few, enough);
            let sequences = self.sequences(prompt, middle)?;
            if over(&sequences) == 0 {
                (enough, fitting) = (middle, sequences);
            } else {
                too_few = middle;
            }
        }
        Ok((enough, fitting))
    }

    /// Every query with every answer, those that say nothing first, without the first `cut` examples.
    fn sequences(&self, prompt: &FewShotPrompt, cut: usize) -> Result<Vec<Sequence>, UserError> {
        let mut prompt = prompt.clone();
        prompt.shots.iter_mut().filter(|shot| shot.on).take(cut).for_each(|shot| shot.on = false);
        let mut sequences = Vec::new();
        let mut ask = |query: &str, answers: Vec<&String>| -> Result<(), UserError> {
            query.clone_into(&mut prompt.query);
            let rendered = prompt.render().text;
            let text = format!("{rendered}{}", prompt.gap());
            let answers: Vec<String> = answers.iter().map(|answer| format!("{answer}{}", self.ending)).collect();
            let opening = Opening::new(self.model, &text, rendered.len(), &answers)?;
            for answer in &answers {
                sequences.push(opening.sequence(self.model, answer)?);
            }
            Ok(())
        };
        for query in self.content_free {
            ask(query, self.labels.iter().collect())?;
        }
        for [query, expected] in self.queries {
            ask(query, targets(self.labels, expected))?;
        }
        Ok(sequences)
    }
}

/// The answers that are scored for a query: the labels, and the right one if it is none of them.
fn targets<'a>(labels: &'a [String], expected: &'a String) -> Vec<&'a String> {
    let right = (!labels.contains(expected)).then_some(expected);
    labels.iter().chain(right).collect()
}

/// The ending of a prompt; the whole token where the tokenizer joins line breaks that stand together.
fn ending(model: &TextModel, prompt: &FewShotPrompt) -> Result<String, UserError> {
    let tail = prompt.tail();
    let Some(first) = tail.find('\n') else { return Ok(prompt.ending()) };
    let tokens = model.tokenizer.encode_whole(&format!("a{tail}a"))?;
    let token = tokens.iter().find(|token| token.span.contains(&(first + 1)));
    let whole = token.and_then(|token| tail.get(..token.span.end - 1));
    Ok(whole.map_or_else(|| prompt.ending(), str::to_owned))
}

/// What greedy decoding writes up to where it leaves the right answer, and whether it never does.
fn written(model: &TextModel, sequence: &Sequence, scored: &Scored, expected: &str) -> (String, bool) {
    let right = sequence.scored_ids();
    let Some(parting) = right.iter().zip(&scored.best).position(|(right, best)| right != best) else {
        return (expected.to_owned(), true);
    };
    let mut stream = model.tokenizer.stream(&[]);
    let text: String = scored.best[..=parting].iter().map(|id| stream.push(*id)).collect();
    let text = text + &stream.finish();
    // An answer that is right but does not end must not look as if it were right.
    let shown = if text.trim() == expected { text.trim_start() } else { text.trim() };
    (shown.to_owned(), false)
}

fn no_query() -> UserError {
    UserError::new(
        "There is no query to ask.",
        "Every row of the table is used as an example, or the table is empty.",
        "Add rows, or use fewer examples.",
    )
}

fn too_long(model: &TextModel, over: usize) -> UserError {
    UserError::new(
        format!("A query does not fit in the context of {}, even without examples.", model.info.name),
        format!("Query and answer are {over} tokens more than the {} it reads.", model.lm.context()),
        "Shorten the longest query or the instruction, or choose a model with a longer context.",
    )
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
