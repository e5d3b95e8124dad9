//! Removes each head and each MLP by itself and tells what becomes of an answer.

use super::subject::{Prompt, Subject, no_answers, rows};
use super::{Step, Task, TaskContext, prompt};
use crate::engine::{Event, Outcome, SweepSpec};
use crate::nn::output::sample::{log_softmax, most_likely};
use crate::nn::{Change, Fork, Hooks, SiteEdit};
use crate::types::{Effect, ModelId, ModelInfo, Part, Removal, Site, SiteSet, SweepReport, UserError};
use burn::tensor::Tensor;
use std::sync::Arc;

/// Multiplications that a step is aimed at: some tenths of a second on two cores.
const MULTIPLICATIONS: u64 = 30_000_000_000;
/// Tokens of all sequences of one step: more do not make the products any faster.
const ROWS: usize = 1024;
/// The states that are kept may take this much.
const BUDGET_BYTES: usize = 1 << 30;

/// Tries the parts of a few sequences a step, from the last layer to the first: the last are the cheapest, and their layers are the
/// first picture.
pub(crate) struct Sweep {
    model: ModelId,
    spec: SweepSpec,
    reading: prompt::Reading,
    under_way: Option<UnderWay>,
}

struct UnderWay {
    report: SweepReport,
    edits: Vec<SiteEdit>,
    /// The stream that enters each block, `[1, T, D]`.
    entering: Vec<Tensor<3>>,
    /// The model's own answer: natural logs of all probabilities.
    own: Vec<f64>,
    /// Parts that are still to be tried; the next is the last.
    left: Vec<Part>,
}

impl Sweep {
    /// To try the parts of `model`.
    pub(crate) fn new(model: ModelId, spec: SweepSpec) -> Self {
        Self { model, spec, reading: prompt::Reading::default(), under_way: None }
    }

    /// Makes the one pass that all others part from.
    fn begin(&self, subject: Subject<'_>, prompt: Prompt) -> Result<UnderWay, UserError> {
        let Prompt { tokens, read } = prompt;
        let position = subject.position(self.spec.position, &tokens)?;
        let named = subject.target(self.spec.target.as_deref())?;
        let edits = subject.anatomy().place(&self.spec.edits, tokens.len())?;
        let blocks = *subject.info().shape.blocks().ok_or_else(|| no_answers(subject.info()))?;
        check_room(subject.info(), tokens.len(), blocks.layers * blocks.hidden)?;
        let sites: Vec<Site> = (0..blocks.layers).map(Site::ResidPre).collect();
        let mut hooks = Hooks::off().keeping(sites.iter().copied().collect::<SiteSet>()).editing(edits.clone());
        let stream = subject.net().stream(&read, &mut hooks);
        let entering = entering(&mut hooks, &sites)?;
        let scores = rows(&subject.scores(stream, position, &mut hooks)?, subject.info())?;
        let own: Vec<f64> = log_softmax(&scores[0]);
        let target = named.unwrap_or_else(|| subject.answer(most_likely(&scores[0])));
        let parts = (0..blocks.layers).flat_map(|layer| {
            let heads = (0..blocks.heads).map(move |head| Part::Head { layer, head });
            heads.chain([Part::Mlp(layer)])
        });
        let report = SweepReport {
            tokens,
            position,
            log_prob: own[target.id as usize],
            target,
            removal: self.spec.removal,
            heads: vec![vec![None; blocks.heads]; blocks.layers],
            mlps: vec![None; blocks.layers],
        };
        Ok(UnderWay { report, edits, entering, own, left: parts.collect() })
    }
}

/// The streams that were kept.
pub(super) fn entering(hooks: &mut Hooks, sites: &[Site]) -> Result<Vec<Tensor<3>>, UserError> {
    let kept = sites.iter().map(|site| Some(hooks.take_kept(*site)?.tensor::<3>()));
    kept.collect::<Option<_>>().ok_or_else(|| super::embed::unreadable("a state of the stream was not kept".to_owned()))
}

/// How many sequences that are computed from a block on a step takes.
pub(super) fn sequences(info: &ModelInfo, tokens: usize, layer: usize) -> usize {
    let layers = info.shape.layers().max(1);
    let share = info.parameters.saturating_mul((layers - layer) as u64) / layers as u64;
    let affordable = MULTIPLICATIONS / share.saturating_mul(tokens as u64).max(1);
    usize::try_from(affordable).unwrap_or(usize::MAX).min(ROWS / tokens.max(1)).max(1)
}

impl UnderWay {
    /// Tries the next parts of one layer.
    fn step(&mut self, subject: Subject<'_>) -> Result<(), UserError> {
        let Some(layer) = self.left.last().map(|part| layer_of(*part)) else { return Ok(()) };
        let most = sequences(subject.info(), self.report.tokens.len(), layer);
        let mut parts = Vec::new();
        while parts.len() < most
            && let Some(part) = self.left.pop_if(|part| layer_of(*part) == layer)
        {
            parts.push(part);
        }
        let changes = parts.iter().enumerate().map(|(sequence, part)| removed(*part, self.report.removal, sequence));
        let fork =
            Fork { layer, entering: self.entering[layer].clone(), edits: &self.edits, position: self.report.position };
        let scores = subject.net().variants(&fork, changes.collect(), parts.len());
        let scores = rows(&scores.ok_or_else(|| no_answers(subject.info()))?, subject.info())?;
        for (part, scores) in parts.into_iter().zip(&scores) {
            let effect = self.effect(scores);
            match part {
                Part::Head { layer, head } => self.report.heads[layer][head] = Some(effect),
                Part::Mlp(layer) => self.report.mlps[layer] = Some(effect),
            }
        }
        Ok(())
    }

    fn effect(&self, scores: &[f32]) -> Effect {
        let edited: Vec<f64> = log_softmax(scores);
        let terms = self.own.iter().zip(&edited).filter(|(own, _)| **own > f64::NEG_INFINITY);
        let divergence = terms.map(|(own, edited)| own.exp() * (own - edited)).sum::<f64>().max(0.0);
        Effect { log_prob: edited[self.report.target.id as usize] - self.report.log_prob, divergence }
    }
}

fn layer_of(part: Part) -> usize {
    match part {
        Part::Head { layer, .. } | Part::Mlp(layer) => layer,
    }
}

/// The change that removes a part in one sequence of a batch.
fn removed(part: Part, removal: Removal, sequence: usize) -> SiteEdit {
    let change = match removal {
        Removal::Zero => Change::Zero,
        Removal::Mean => Change::Mean,
    };
    let (site, heads) = match part {
        Part::Head { layer, head } => (Site::Z(layer), Some(vec![head])),
        Part::Mlp(layer) => (Site::MlpOut(layer), None),
    };
    SiteEdit { heads, sequence: Some(sequence), ..SiteEdit::whole(site, change) }
}

impl Task for Sweep {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let subject = Subject::of(cx.models, self.model)?;
        let Some(under_way) = &mut self.under_way else {
            if let Some(prompt) = subject.read(&mut self.reading, &self.spec.prompt)? {
                self.under_way = Some(self.begin(subject, prompt)?);
            }
            return Ok(Step::More);
        };
        under_way.step(subject)?;
        if under_way.left.is_empty() {
            return Ok(Step::Done(Outcome::Swept(Arc::new(under_way.report.clone()))));
        }
        let (done, total) = under_way.report.progress();
        let (job, label) = (cx.job, "Removing parts".to_owned());
        (cx.emit)(Event::Progress { job, label, done: done as u64, total: total as u64, unit: "parts" });
        (cx.emit)(Event::SoFar { job, outcome: Outcome::Swept(Arc::new(under_way.report.clone())) });
        Ok(Step::More)
    }

    fn cancel(&mut self, _: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        Ok(match self.under_way.take() {
            Some(under_way) => Outcome::Swept(Arc::new(under_way.report)),
            None => Outcome::Cancelled,
        })
    }
}

/// Known before anything is computed: `width` numbers are kept of each token.
pub(super) fn check_room(info: &ModelInfo, tokens: usize, width: usize) -> Result<(), UserError> {
    let of_token = width.saturating_mul(size_of::<f32>());
    if of_token.saturating_mul(tokens) <= BUDGET_BYTES {
        return Ok(());
    }
    let (bytes, most) = (of_token.saturating_mul(tokens) >> 20, BUDGET_BYTES >> 20);
    Err(UserError::new(
        format!("The values of {} that have to be kept take {bytes} MiB for {tokens} tokens.", info.name),
        format!("Passes part from them in every layer, so they are kept until all are tried; at most {most} MiB are."),
        format!("Shorten the prompt to at most {} tokens.", BUDGET_BYTES / of_token.max(1)),
    ))
}
