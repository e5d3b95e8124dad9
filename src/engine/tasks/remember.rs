//! What a model remembers: questions about what stood some tokens before, a portion of one distance a step.

use super::embed::unreadable;
use super::{Step, Task, TaskContext};
use crate::engine::{Event, Outcome};
use crate::load::TextModel;
use crate::nn::{Hooks, Random};
use crate::train::data::memory::{MemoryTokens, question, question_length};
use crate::types::{MemoryKind, MemoryPoint, MemoryReport, MemorySpec, ModelId, UserError};
use burn::tensor::{Int, Tensor, TensorData};
use std::sync::Arc;

/// Tokens read in one step.
const TOKENS: usize = 2048;

/// Asks at each distance.
pub(crate) struct Remember {
    model: ModelId,
    spec: MemorySpec,
    asking: Option<Asking>,
}

struct Asking {
    tokens: MemoryTokens,
    report: MemoryReport,
    /// Distances that are still asked at, the next last.
    left: Vec<usize>,
    /// How many there are in all.
    distances: usize,
}

impl Remember {
    /// To ask `model` what it remembers.
    pub(crate) fn new(model: ModelId, spec: MemorySpec) -> Self {
        Self { model, spec, asking: None }
    }

    fn begin(&self, model: &TextModel) -> Result<Asking, UserError> {
        let MemorySpec { of, distances, questions, seed } = &self.spec;
        if *questions == 0 || distances.is_empty() {
            return Err(UserError::new(
                "Nothing is asked.",
                "There must be a distance, and at least one question at each.",
                "Name distances such as 2,8,32, and at least one question.",
            ));
        }
        let mut left = Vec::new();
        for distance in distances {
            left.push(of.at_most(*distance).ok_or_else(|| too_near(*of, *distance))?);
        }
        left.sort_unstable();
        left.dedup();
        let context = model.lm.context();
        let fits = |distance: &usize| question_length(*of, *distance) <= context;
        let too_far: Vec<usize> = left.iter().copied().filter(|distance| !fits(distance)).collect();
        left.retain(fits);
        let first = *left.first().ok_or_else(|| nothing_fits(model, context))?;
        left.reverse();
        let example = question(*of, first, &mut Random::new(*seed, stream(first, 0)));
        let report = MemoryReport {
            of: *of,
            points: Vec::new(),
            chance: MemoryKind::chance(),
            too_far,
            example: Some((example.text, example.answer)),
        };
        let (tokens, distances) = (MemoryTokens::of(&model.tokenizer, &model.info.name)?, left.len());
        Ok(Asking { tokens, report, left, distances })
    }

    fn done(&self) -> u64 {
        self.asking.as_ref().map_or(0, |asking| asking.report.points.iter().map(|point| point.asked as u64).sum())
    }
}

/// Where the random numbers of a question are drawn.
fn stream(distance: usize, place: usize) -> u64 {
    ((distance as u64) << 32) + place as u64
}

impl Task for Remember {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let model = cx.models.text(self.model)?;
        if self.asking.is_none() {
            self.asking = Some(self.begin(model)?);
        }
        let (spec, Some(asking)) = (&self.spec, &mut self.asking) else { return Ok(Step::More) };
        let Some(distance) = asking.left.last().copied() else {
            return Ok(Step::Done(Outcome::Remembered(Arc::new(asking.report.clone()))));
        };
        let points = &mut asking.report.points;
        if points.last().is_none_or(|point| point.distance != distance) {
            points.push(MemoryPoint { distance, right: 0, asked: 0 });
        }
        let point = points.last_mut().expect("pushed above");
        let most = (TOKENS / question_length(spec.of, distance)).max(1);
        let places = point.asked..spec.questions.min(point.asked + most);
        point.right += ask(model, &asking.tokens, spec, distance, places.clone())?;
        point.asked = places.end;
        if point.asked == spec.questions {
            asking.left.pop();
        }
        let total = (asking.distances * spec.questions) as u64;
        (cx.emit)(Event::SoFar { job: cx.job, outcome: Outcome::Remembered(Arc::new(asking.report.clone())) });
        let done = self.done();
        (cx.emit)(Event::Progress { job: cx.job, label: "Asking".to_owned(), done, total, unit: "questions" });
        Ok(Step::More)
    }

    fn cancel(&mut self, _: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        Ok(match self.asking.take() {
            Some(mut asking) => {
                // A distance that was not asked at in full would not compare with the others.
                asking.report.points.retain(|point| point.asked == self.spec.questions);
                Outcome::Remembered(Arc::new(asking.report))
            }
            None => Outcome::Cancelled,
        })
    }
}

/// How many of some questions at one distance are answered rightly.
fn ask(
    model: &TextModel,
    tokens: &MemoryTokens,
    spec: &MemorySpec,
    distance: usize,
    places: std::ops::Range<usize>,
) -> Result<usize, UserError> {
    let (count, length) = (places.len(), question_length(spec.of, distance));
    let (mut ids, mut answers) = (Vec::with_capacity(count * length), Vec::with_capacity(count));
    for place in places {
        let asked = question(spec.of, distance, &mut Random::new(spec.seed, stream(distance, place)));
        ids.extend(asked.text.bytes().map(|character| tokens.id(character) as i32));
        answers.push(tokens.id(asked.answer as u8));
    }
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [count, length]), &model.lm.device());
    let ends: Vec<usize> = (1..=count).map(|row| row * length - 1).collect();
    let logits = model.lm.logits_at(ids, &ends, &mut Hooks::off()); // [B, V]
    let [_, vocabulary] = logits.dims();
    let scores = logits.try_to_vec_as::<f32>().map_err(unreadable)?;
    let likeliest = scores.chunks_exact(vocabulary).map(crate::nn::output::sample::most_likely);
    Ok(likeliest.zip(answers).filter(|(said, answer)| said == answer).count())
}

fn too_near(of: MemoryKind, distance: usize) -> UserError {
    UserError::new(
        format!("Nothing can be asked for at a distance of {distance}."),
        format!(
            "A question of {} puts at least {} tokens between what is asked for and the answer.",
            of.name(),
            of.least()
        ),
        format!("Name distances from {} on.", of.least()),
    )
}

fn nothing_fits(model: &TextModel, context: usize) -> UserError {
    UserError::new(
        format!("{} reads too few tokens to be asked.", model.info.name),
        format!("No question at these distances fits into its {context} tokens."),
        "Name shorter distances, or choose a model that reads more.",
    )
}
