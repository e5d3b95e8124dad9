//! Tells which class texts belong to, as many a step as are worth a pass: those of nearly one length together.

use super::{Step, Task, TaskContext};
use crate::engine::{Event, Outcome};
use crate::load::ClassifierModel;
use crate::types::{ClassifyReport, ModelId, TextClasses, UserError};
use rayon::prelude::*;
use std::sync::Arc;

/// Tokens a step may read, padding included, unless a single text has more.
const MOST_TOKENS: usize = 1024;
/// Tokens that a step may read however large the model is.
const LEAST_TOKENS: usize = 256;
/// Multiplications a step is meant to take; some tenths of a second on a few cores.
const MULTIPLICATIONS: u64 = 1 << 35;

/// Classifies texts.
pub(crate) struct ClassifyTexts {
    model: ModelId,
    texts: Vec<String>,
    done: Vec<Option<TextClasses>>,
    /// Nothing until texts are tokens; the shortest last.
    waiting: Option<Vec<ReadText>>,
}

/// A text as a classifier takes it.
pub(super) struct ReadText {
    /// Its place among the texts.
    pub place: usize,
    /// Its tokens, as many as fit.
    pub ids: Vec<u32>,
    /// Tokens that did not fit.
    pub left_out: usize,
}

impl ClassifyTexts {
    /// To classify `texts` with `model`.
    pub(crate) fn new(model: ModelId, texts: Vec<String>) -> Self {
        Self { model, texts, done: Vec::new(), waiting: None }
    }
}

impl Task for ClassifyTexts {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let model = cx.models.classifier(self.model)?;
        if self.texts.is_empty() {
            return Err(UserError::new(
                "There is no text to classify.",
                format!("{} reads a text and tells its class.", model.info().name),
                "Give at least one text.",
            ));
        }
        let Some(waiting) = &mut self.waiting else {
            self.waiting = Some(read(model, self.texts.iter().map(String::as_str).enumerate())?);
            self.done.resize(self.texts.len(), None);
            return Ok(Step::More);
        };
        let batch = longest(waiting, tokens_a_step(model));
        let ids: Vec<&[u32]> = batch.iter().map(|text| &text.ids[..]).collect();
        for (text, scores) in batch.iter().zip(scores(model, &ids)?) {
            let (text, place, tokens, left_out) =
                (self.texts[text.place].clone(), text.place, text.ids.len(), text.left_out);
            self.done[place] = Some(TextClasses { text, tokens, left_out, scores });
        }
        let (done, total) = ((self.texts.len() - waiting.len()) as u64, self.texts.len() as u64);
        (cx.emit)(Event::Progress { job: cx.job, label: "Classifying".to_owned(), done, total, unit: "texts" });
        if done < total {
            return Ok(Step::More);
        }
        let texts = std::mem::take(&mut self.done).into_iter().flatten().collect();
        let report = ClassifyReport { labels: model.tells.labels.clone(), problem: model.tells.problem, texts };
        Ok(Step::Done(Outcome::TextsClassified(Arc::new(report))))
    }
}

/// Texts as tokens, the longest first.
///
/// # Errors
/// When a text cannot be split, has no token, or one outside the vocabulary.
pub(super) fn read<'a>(
    model: &ClassifierModel,
    texts: impl Iterator<Item = (usize, &'a str)>,
) -> Result<Vec<ReadText>, UserError> {
    let texts: Vec<(usize, &str)> = texts.collect();
    let vocabulary = model.info().shape.vocabulary().unwrap_or(usize::MAX);
    let read = |&(place, text): &(usize, &str)| {
        let (ids, left_out) = model.ids(text)?;
        match ids.iter().find(|id| **id as usize >= vocabulary) {
            Some(id) => Err(UserError::new(
                format!("Text {} has the token {id}, which {} does not know.", place + 1, model.info().name),
                format!("Its vocabulary has {vocabulary} entries."),
                "Its tokenizer.json belongs to another model; fetch the folder again.",
            )),
            None if ids.is_empty() => Err(UserError::new(
                format!("Text {} is empty.", place + 1),
                format!("The tokenizer of {} adds nothing of its own, so there is nothing to read.", model.info().name),
                "Write something into every text.",
            )),
            None => Ok(ReadText { place, ids, left_out }),
        }
    };
    let mut read: Vec<ReadText> = texts.par_iter().map(read).collect::<Result<_, _>>()?;
    read.sort_by_key(|text| std::cmp::Reverse(text.ids.len()));
    Ok(read)
}

/// Takes out the longest texts that wait, as many as are read in one step.
pub(super) fn longest(waiting: &mut Vec<ReadText>, tokens: usize) -> Vec<ReadText> {
    let longest = waiting.first().map_or(1, |text| text.ids.len().max(1));
    let rest = waiting.split_off(waiting.len().min((tokens / longest).max(1)));
    std::mem::replace(waiting, rest)
}

/// Tokens worth a step of a few tenths of a second.
pub(super) fn tokens_a_step(model: &ClassifierModel) -> usize {
    let info = model.info();
    let hidden = info.shape.hidden().unwrap_or(0);
    // A token meets every weight once but for the embedding of all others.
    let embeddings = info.shape.vocabulary().unwrap_or(0) * hidden;
    let weights = info.parameters.saturating_sub(embeddings as u64).max(1);
    usize::try_from(MULTIPLICATIONS / weights).unwrap_or(MOST_TOKENS).clamp(LEAST_TOKENS, MOST_TOKENS)
}

/// One row of scores a text, on the host.
///
/// # Errors
/// When they cannot be read, or are no numbers.
pub(super) fn scores(model: &ClassifierModel, ids: &[&[u32]]) -> Result<Vec<Vec<f32>>, UserError> {
    super::subject::rows(&model.scores(ids), model.info())
}
