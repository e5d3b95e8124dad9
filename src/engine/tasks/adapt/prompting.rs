//! Examples in the prompt: the likeliest of the label words is the answer.

use super::Outcomes;
use super::peak::Peak;
use crate::engine::tasks::answers::Asking;
use crate::load::TextModel;
use crate::types::{AdaptSpec, BatchSpec, FewShotPrompt, Labelled, Shot, UserError};
use std::time::Instant;

/// Queries whose prompts are counted, to tell how many tokens one takes.
const COUNTED: usize = 16;

/// Queries on their way.
pub(super) struct Prompting {
    asking: Asking,
    words: Vec<String>,
    used: usize,
    tokens: f64,
    /// The prompt before a query.
    text: String,
    seconds: f64,
    peak: Peak,
}

impl Prompting {
    /// To ask the test with some examples, each with the class it is told with.
    ///
    /// # Errors
    /// When a text cannot be split, a word has no token, or a query fits into no prompt.
    pub(super) fn new(
        model: &TextModel,
        spec: &AdaptSpec,
        data: &Labelled,
        drawn: &[(usize, usize)],
        test: &[usize],
    ) -> Result<Self, UserError> {
        let (begun, peak) = (Instant::now(), Peak::begin());
        let words = words(spec, data);
        let text = |place: usize| one_line(&data.examples[place].0);
        let shot =
            |(place, class): &(usize, usize)| Shot { input: text(*place), output: words[*class].clone(), on: true };
        let mut prompt = FewShotPrompt {
            instruction: spec.prompt.instruction.clone(),
            shots: drawn.iter().map(shot).collect(),
            query: String::new(),
            template: spec.prompt.template.clone(),
            separator: spec.prompt.separator.clone(),
        };
        let queries: Vec<[String; 2]> =
            test.iter().map(|place| [text(*place), words[data.examples[*place].1].clone()]).collect();
        keep_fitting(model, &mut prompt, &queries)?;
        let kept = prompt.shots.len();
        let tokens = tokens_of(model, &prompt, &queries)?;
        let text = prompt.render().text;
        let (calibrate, labels) = (spec.prompt.calibrate, words.clone());
        let asking = Asking::new(model, BatchSpec { prompt, queries, labels, calibrate, edits: Vec::new() })?;
        let used = kept - asking.cut();
        Ok(Self { asking, words, used, tokens, text, seconds: begun.elapsed().as_secs_f64(), peak })
    }

    /// What stands before every query: where it is the same, so are the answers.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Asks some; what all came to, once all are asked.
    ///
    /// # Errors
    /// When scores are no numbers.
    pub(super) fn step(&mut self, model: &TextModel) -> Result<Option<Outcomes>, UserError> {
        let begun = Instant::now();
        let is_done = self.asking.step(model)?;
        self.seconds += begun.elapsed().as_secs_f64();
        if !is_done {
            return Ok(None);
        }
        let shares = self.asking.answers().iter().map(|answer| {
            debug_assert_eq!(answer.shares.len(), self.words.len());
            answer.shares.iter().map(|share| share.max(f64::MIN_POSITIVE).ln()).collect()
        });
        Ok(Some(Outcomes {
            shares: shares.collect(),
            used: self.used,
            adapt_s: 0.0,
            query_s: self.seconds,
            tokens: self.tokens,
            learned: 0,
            bytes: self.text.len() as u64,
            peak: self.peak.end(),
        }))
    }
}

/// The word for each class.
fn words(spec: &AdaptSpec, data: &Labelled) -> Vec<String> {
    if spec.prompt.words.is_empty() { data.labels.clone() } else { spec.prompt.words.clone() }
}

/// Texts of several lines would part examples where none end.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Keeps as many of the first examples as the longest query fits behind: those that were drawn first are of every class, and a prompt of
/// more examples begins as one of fewer does. Of all there are, the last may be of one class alone.
fn keep_fitting(model: &TextModel, prompt: &mut FewShotPrompt, queries: &[[String; 2]]) -> Result<(), UserError> {
    let longest = |of: fn(&[String; 2]) -> usize| queries.iter().max_by_key(|query| of(query));
    let (Some([query, _]), Some([_, word])) = (longest(|[query, _]| query.len()), longest(|[_, word]| word.len()))
    else {
        return Ok(());
    };
    let all = std::mem::take(&mut prompt.shots);
    let count = |kept: usize| -> Result<usize, UserError> {
        let prompt = FewShotPrompt { shots: all[..kept].to_vec(), query: query.clone(), ..prompt.clone() };
        let text = prompt.render().text + " " + word + &prompt.tail();
        Ok(model.tokenizer.encode(&text)?.len())
    };
    let context = model.lm.context();
    let mut kept = all.len();
    if count(kept)? > context {
        // So many do not fit; `kept` do, or nothing does.
        let mut too_many = kept;
        kept = 0;
        while kept + 1 < too_many {
            let middle = usize::midpoint(kept, too_many);
            if count(middle)? > context { too_many = middle } else { kept = middle }
        }
    }
    prompt.shots = all[..kept].to_vec();
    Ok(())
}

/// Mean tokens of a prompt with its query.
fn tokens_of(model: &TextModel, prompt: &FewShotPrompt, queries: &[[String; 2]]) -> Result<f64, UserError> {
    let (mut sum, mut count) = (0, 0);
    for [query, _] in queries.iter().step_by(queries.len().div_ceil(COUNTED).max(1)) {
        let prompt = FewShotPrompt { query: query.clone(), ..prompt.clone() };
        sum += model.tokenizer.encode(&prompt.render().text)?.len();
        count += 1;
    }
    Ok(sum as f64 / f64::from(count.max(1)))
}

/// What is to be known of label words: that some begin alike.
pub(super) fn note_of_words(model: &TextModel, spec: &AdaptSpec, data: &Labelled) -> Option<String> {
    let words = words(spec, data);
    let first = |word: &String| model.tokenizer.continuation_ids(word).ok()?.first().copied();
    let firsts: Vec<Option<u32>> = words.iter().map(first).collect();
    let (a, b) = (0..words.len())
        .flat_map(|b| (0..b).map(move |a| (a, b)))
        .find(|(a, b)| firsts[*a].is_some() && firsts[*a] == firsts[*b])?;
    Some(format!(
        "The words {:?} and {:?} begin with the same token; whole answers are compared, so they are told apart by what follows.",
        words[a], words[b]
    ))
}
