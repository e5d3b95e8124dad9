//! How likely each of some answers is after a prompt.
//!
//! The tokens of an answer are those that follow the prompt's own when the tokenizer reads both together
//! ([`crate::load::Tokenizer::ids_after`]): a space where neither the prompt ends nor the answer begins with white space
//! (rendered few-shot prompts end before theirs), the answer, and the ending that was asked for. White space at the end of
//! the prompt is split with the answer ([`Opening`]). An empty prompt gets no space. The prompt is read once, all answers after
//! it as one batch. Probabilities are over the whole vocabulary.

use super::continuations::{Continuations, Scored, Sequence};
use super::opening::Opening;
use super::shares::{calibrated, mean, shares};
use super::{Step, Task, TaskContext, prompt};
use crate::engine::{Event, Outcome};
use crate::load::TextModel;
use crate::types::{CandidateScore, ModelId, ScoreReport, ScoreRequest, ScoredToken, UserError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Scores the candidates of a request.
pub(crate) struct Score {
    model: ModelId,
    request: ScoreRequest,
    /// The prompt, then those that say nothing.
    prompts: Vec<Continuations>,
    prompt_tokens: usize,
    elapsed: Duration,
}

impl Score {
    /// To score what `request` asks for with `model`.
    pub(crate) fn new(model: ModelId, request: ScoreRequest) -> Self {
        Self { model, request, prompts: Vec::new(), prompt_tokens: 0, elapsed: Duration::ZERO }
    }

    fn begin(&mut self, model: &TextModel) -> Result<(), UserError> {
        check_candidates(model, &self.request.candidates)?;
        let prompts = [&self.request.prompt].into_iter().chain(&self.request.content_free);
        for text in prompts {
            let (prompt_tokens, sequences) = sequences(model, text, &self.request.candidates, &self.request.ending)?;
            if self.prompts.is_empty() {
                self.prompt_tokens = prompt_tokens;
            }
            self.prompts.push(Continuations::new(model, sequences, &self.request.edits)?);
        }
        Ok(())
    }

    fn report(&self, model: &TextModel) -> ScoreReport {
        let of_prompt = |prompt: &Continuations| shares(prompt.scores().iter().map(Scored::sum));
        let lists: Vec<Vec<f64>> = self.prompts.iter().map(of_prompt).collect();
        let calibrated = (lists.len() > 1).then(|| calibrated(&lists[0], &mean(&lists[1..])));
        let candidate = |(place, text): (usize, &String)| {
            let calibrated = calibrated.as_ref().map(|shares| shares[place]);
            let (sequence, scored) = (self.prompts[0].sequence(place), &self.prompts[0].scores()[place]);
            CandidateScore { calibrated, ..candidate_score(model, text, sequence, scored, lists[0][place]) }
        };
        let candidates = self.request.candidates.iter().enumerate().map(candidate).collect();
        let elapsed_ms = self.elapsed.as_secs_f64() * 1e3;
        ScoreReport { candidates, prompt_tokens: self.prompt_tokens, elapsed_ms }
    }
}

impl Task for Score {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let begun = Instant::now();
        let model = cx.models.text(self.model)?;
        if self.prompts.is_empty() {
            self.begin(model)?;
        }
        if let Some(prompt) = self.prompts.iter_mut().find(|prompt| !prompt.is_done()) {
            prompt.step(model)?;
        }
        self.elapsed += begun.elapsed();
        if self.prompts.iter().all(Continuations::is_done) {
            return Ok(Step::Done(Outcome::Scored(Arc::new(self.report(model)))));
        }
        let done = self.prompts.iter().map(|prompt| prompt.scores().len() as u64).sum();
        let total = (self.prompts.len() * self.request.candidates.len()) as u64;
        (cx.emit)(Event::Progress { job: cx.job, label: "Scoring".to_owned(), done, total, unit: "answers" });
        Ok(Step::More)
    }
}

/// # Errors
/// When there is none, or one has no token.
pub(super) fn check_candidates(model: &TextModel, candidates: &[String]) -> Result<(), UserError> {
    if candidates.is_empty() {
        return Err(no_candidate());
    }
    candidates.iter().try_for_each(|candidate| prompt::check_answer(model, candidate))
}

/// How many tokens a prompt has, and each answer behind it.
///
/// # Errors
/// When they cannot be tokenized, or do not fit in the context.
pub(super) fn sequences(
    model: &TextModel,
    text: &str,
    candidates: &[String],
    ending: &str,
) -> Result<(usize, Vec<Sequence>), UserError> {
    let written = |candidate: &String| format!("{}{candidate}{ending}", space_between(text, candidate));
    let answers: Vec<String> = candidates.iter().map(written).collect();
    let opening = Opening::new(model, text, text.len(), &answers)?;
    let sequence = |(candidate, answer): (&String, &String)| {
        let sequence = opening.sequence(model, answer)?;
        let over = sequence.read().saturating_sub(model.lm.context());
        if over > 0 { Err(too_long(model, candidate, over)) } else { Ok(sequence) }
    };
    let sequences = candidates.iter().zip(&answers).map(sequence).collect::<Result<_, _>>()?;
    Ok((opening.ids.len(), sequences))
}

/// What was scored of an answer, with its share of all.
pub(super) fn candidate_score(
    model: &TextModel,
    text: &str,
    sequence: &Sequence,
    scored: &Scored,
    share: f64,
) -> CandidateScore {
    let ids = sequence.scored_ids();
    let token = |(&id, &log_prob): (&u32, &f64)| ScoredToken { id, text: model.tokenizer.token_text(id), log_prob };
    CandidateScore {
        text: text.to_owned(),
        tokens: ids.iter().zip(&scored.log_probs).map(token).collect(),
        log_prob: scored.sum(),
        mean_log_prob: scored.sum() / ids.len() as f64,
        share,
        calibrated: None,
    }
}

/// A space, where neither side brings white space of its own.
fn space_between(prompt: &str, answer: &str) -> &'static str {
    let has_space =
        prompt.is_empty() || prompt.ends_with(char::is_whitespace) || answer.starts_with(char::is_whitespace);
    if has_space { "" } else { " " }
}

fn no_candidate() -> UserError {
    UserError::new(
        "There is nothing to score.",
        "Probabilities are asked for chosen answers, and none was given.",
        "Give at least one candidate answer.",
    )
}

fn too_long(model: &TextModel, candidate: &str, over: usize) -> UserError {
    let tokens = if over == 1 { "1 token".to_owned() } else { format!("{over} tokens") };
    UserError::new(
        format!("Prompt and answer {candidate:?} are {tokens} too long for {}.", model.info.name),
        format!("It reads at most {} tokens, and the answer's last token need not be read.", model.lm.context()),
        "Shorten the prompt, for example by switching off examples.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_is_put_where_there_is_none() {
        assert_eq!(space_between("rouge =", "red"), " ");
        assert_eq!(space_between("rouge = ", "red"), "");
        assert_eq!(space_between("rouge =", "\nred"), "");
        assert_eq!(space_between("", "red"), "");
    }
}
