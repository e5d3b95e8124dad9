//! Values of one prompt in the pass over another: activation patching, and its estimate by gradients.

use super::inspect::site_of_others;
use super::patch_cells::{Cells, Column, Values};
use super::subject::{Prompt, Subject, no_answers, rows};
use super::sweep::{check_room, entering, sequences};
use super::{Step, Task, TaskContext, prompt};
use crate::engine::{Event, Outcome, PatchHow, PatchSpec};
use crate::nn::output::sample::most_likely;
use crate::nn::{Asked, Fork, Hooks, Read, SiteEdit, set};
use crate::types::{LensTarget, ModelId, PatchAlong, PatchReport, PatchSite, Site, SiteSet, UserError};
use burn::tensor::Tensor;
use std::sync::Arc;

/// Patches the cells of a few sequences a step, from the last layer to the first: the last are the cheapest, and their layers are the
/// first picture.
pub(crate) struct Patch {
    model: ModelId,
    spec: PatchSpec,
    readings: [prompt::Reading; 2],
    read: [Option<Prompt>; 2],
    under_way: Option<UnderWay>,
}

struct UnderWay {
    report: PatchReport,
    edits: Vec<SiteEdit>,
    /// The streams that enter each block of the destination, `[1, T, D]`.
    entering: Vec<Tensor<3>>,
    /// By layer, the values of the destination and of the source.
    values: Vec<[Values; 2]>,
    column: Column,
    /// Cells that are still to be measured, by layer and column; the next is the last.
    left: Vec<(usize, usize)>,
}

/// What one prompt ends in.
struct Pass {
    entering: Vec<Tensor<3>>,
    values: Vec<Values>,
    scores: Vec<f32>,
}

impl Patch {
    /// To patch the passes of `model`.
    pub(crate) fn new(model: ModelId, spec: PatchSpec) -> Self {
        Self { model, spec, readings: Default::default(), read: [None, None], under_way: None }
    }

    /// The two passes, and what can come of patching one with the other.
    fn begin(&self, subject: Subject<'_>, [source, destination]: [Prompt; 2]) -> Result<UnderWay, UserError> {
        let info = subject.info();
        let (net, spec, tokens) = (subject.net(), &self.spec, destination.tokens.len());
        if source.tokens.len() != tokens {
            return Err(of_other_length(source.tokens.len(), tokens));
        }
        let blocks = *info.shape.blocks().ok_or_else(|| no_answers(info))?;
        if !net.sites().contains(&spec.site.of(0)) {
            return Err(site_of_others(&spec.site.of(0).to_string(), info));
        }
        if spec.along == PatchAlong::Heads && !spec.site.has_heads() {
            return Err(without_heads(spec.site));
        }
        let column = Column::new(spec.site, spec.along);
        let kept = match spec.site {
            PatchSite::Pattern => 2 * blocks.heads * tokens,
            _ => 2 * blocks.hidden,
        };
        check_room(info, tokens, blocks.layers * (blocks.hidden + kept))?;
        let position = subject.position(spec.position, &destination.tokens)?;
        let named = [subject.target(spec.answers[0].as_deref())?, subject.target(spec.answers[1].as_deref())?];
        let edits = subject.anatomy().place(&spec.edits, tokens)?;
        let pass = |prompt: &Prompt| pass(subject, prompt, spec.site, position, edits.clone());
        let (from, to) = (pass(&source)?, pass(&destination)?);
        let [first, second] = named;
        let answers = [
            first.unwrap_or_else(|| subject.answer(most_likely(&from.scores))),
            second.unwrap_or_else(|| subject.answer(most_likely(&to.scores))),
        ];
        let above =
            |scores: &[f32]| f64::from(scores[answers[0].id as usize]) - f64::from(scores[answers[1].id as usize]);
        let ends = [above(&to.scores), above(&from.scores)];
        check_ends(&answers, ends)?;
        let values: Vec<[Values; 2]> = to.values.into_iter().zip(from.values).map(|(to, from)| [to, from]).collect();
        let cells = Cells::new(net, spec.site, spec.along, position);
        let cells: Vec<_> =
            values.iter().enumerate().map(|(layer, pair)| cells.of_layer(layer, column, pair)).collect();
        let report = PatchReport {
            source: source.tokens,
            destination: destination.tokens,
            position,
            answers,
            ends,
            site: spec.site,
            along: spec.along,
            cells: cells.into_iter().collect::<Result<_, _>>()?,
        };
        let mut under_way = UnderWay { report, edits, entering: to.entering, values, column, left: Vec::new() };
        if spec.how != PatchHow::Measure {
            under_way.estimate(subject, &destination.read)?;
        }
        under_way.plan(spec.how);
        Ok(under_way)
    }
}

/// One pass, with what is needed of it.
fn pass(
    subject: Subject<'_>,
    prompt: &Prompt,
    site: PatchSite,
    position: usize,
    edits: Vec<SiteEdit>,
) -> Result<Pass, UserError> {
    let layers = subject.info().shape.layers();
    let (into, sites): (Vec<Site>, Vec<Site>) =
        (0..layers).map(|layer| (Site::ResidPre(layer), site.of(layer))).unzip();
    let kept: SiteSet = into.iter().chain(&sites).copied().collect();
    let mut hooks = Hooks::off().keeping(kept).editing(edits);
    let stream = subject.net().stream(&prompt.read, &mut hooks);
    let values = sites.iter().map(|place| {
        // The stream is entering, too, and taken out once.
        let value = hooks.take_kept(*place)?;
        Some(Values::new(&value, site.has_heads()))
    });
    let values: Option<Vec<Values>> = values.collect();
    let values = values.ok_or_else(|| super::embed::unreadable("a value was not kept".to_owned()))?;
    let entering = match site {
        PatchSite::ResidPre => values.iter().filter_map(Values::stream).collect(),
        _ => entering(&mut hooks, &into)?,
    };
    let scores = rows(&subject.scores(stream, position, &mut hooks)?, subject.info())?;
    Ok(Pass { entering, values, scores: scores.into_iter().next().unwrap_or_default() })
}

impl UnderWay {
    /// Fills in what attribution patching says of every cell: one gradient of the destination.
    fn estimate(&mut self, subject: Subject<'_>, destination: &Read) -> Result<(), UserError> {
        let report = &mut self.report;
        let layers = report.cells.len();
        let sites: SiteSet = (0..layers).map(|layer| report.site.of(layer)).collect();
        let asked = Asked { position: report.position, answers: [report.answers[0].id, report.answers[1].id] };
        let gradients = subject.net().gradients(destination, self.edits.clone(), sites, &asked);
        let gradients = gradients.ok_or_else(|| no_answers(subject.info()))?;
        let scale = report.ends[1] - report.ends[0];
        for (layer, (cells, pair)) in report.cells.iter_mut().zip(&self.values).enumerate() {
            let changes = match gradients.of(report.site.of(layer)) {
                Some((_, gradient)) => self.column.along_gradient(pair, gradient)?,
                // The score does not depend on it.
                None => vec![0.0; cells.len()],
            };
            for (cell, change) in cells.iter_mut().zip(changes) {
                cell.estimated = Some(if cell.is_idle { 0.0 } else { change / scale });
            }
        }
        Ok(())
    }

    /// Chooses the cells that are measured.
    fn plan(&mut self, how: PatchHow) {
        let cells = self.report.cells.iter().enumerate();
        let live = cells.flat_map(|(layer, cells)| {
            cells
                .iter()
                .enumerate()
                .filter(|(_, cell)| !cell.is_idle)
                .map(move |(at, cell)| ((layer, at), cell.estimated))
        });
        let mut live: Vec<((usize, usize), Option<f64>)> = live.collect();
        let most = match how {
            PatchHow::Measure => live.len(),
            PatchHow::Estimate => 0,
            PatchHow::Check(most) => most,
        };
        let size = |estimate: Option<f64>| estimate.unwrap_or(0.0).abs();
        if how != PatchHow::Measure {
            live.sort_by(|a, b| size(b.1).total_cmp(&size(a.1)));
        }
        live.truncate(most);
        self.left = live.into_iter().map(|(cell, _)| cell).collect();
        self.left.sort_unstable();
    }

    /// Measures the next cells of one layer.
    fn step(&mut self, subject: Subject<'_>) -> Result<(), UserError> {
        let Some(&(layer, _)) = self.left.last() else { return Ok(()) };
        let most = sequences(subject.info(), self.report.destination.len(), layer);
        let mut columns = Vec::new();
        while columns.len() < most
            && let Some((_, column)) = self.left.pop_if(|(of, _)| *of == layer)
        {
            columns.push(column);
        }
        let [to, from] = &self.values[layer];
        let change = match (to, from) {
            (Values::Stream(to), Values::Stream(from)) => {
                set(self.report.site.of(layer), self.column.mixed(to, from, &columns))
            }
            (Values::Heads(to), Values::Heads(from)) => {
                set(self.report.site.of(layer), self.column.mixed(to, from, &columns))
            }
            _ => unreachable!("both are of one site"),
        };
        let fork =
            Fork { layer, entering: self.entering[layer].clone(), edits: &self.edits, position: self.report.position };
        let scores =
            subject.net().variants(&fork, vec![change], columns.len()).ok_or_else(|| no_answers(subject.info()))?;
        let answers = self.report.answers.each_ref().map(|answer| answer.id as usize);
        for (column, scores) in columns.into_iter().zip(rows(&scores, subject.info())?) {
            let [first, second] = answers.map(|answer| f64::from(scores[answer]));
            let measured = PatchReport::normalised(self.report.ends, first - second);
            self.report.cells[layer][column].measured = Some(measured);
        }
        Ok(())
    }
}

impl Task for Patch {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let subject = Subject::of(cx.models, self.model)?;
        let Some(under_way) = &mut self.under_way else {
            for (side, prompt) in [&self.spec.source, &self.spec.destination].into_iter().enumerate() {
                if self.read[side].is_none() {
                    self.read[side] = subject.read(&mut self.readings[side], prompt)?;
                }
            }
            if let [Some(_), Some(_)] = &self.read {
                let [source, destination] = std::mem::take(&mut self.read).map(|read| read.expect("both are there"));
                let under_way = self.begin(subject, [source, destination])?;
                let outcome = Outcome::Patched(Arc::new(under_way.report.clone()));
                if under_way.left.is_empty() {
                    return Ok(Step::Done(outcome));
                }
                (cx.emit)(Event::SoFar { job: cx.job, outcome });
                self.under_way = Some(under_way);
            }
            return Ok(Step::More);
        };
        under_way.step(subject)?;
        let outcome = Outcome::Patched(Arc::new(under_way.report.clone()));
        if under_way.left.is_empty() {
            return Ok(Step::Done(outcome));
        }
        let (done, _) = under_way.report.progress();
        let (job, label, total) = (cx.job, "Patching".to_owned(), (done + under_way.left.len()) as u64);
        (cx.emit)(Event::Progress { job, label, done: done as u64, total, unit: "cells" });
        (cx.emit)(Event::SoFar { job, outcome });
        Ok(Step::More)
    }

    fn cancel(&mut self, _: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        Ok(match self.under_way.take() {
            Some(under_way) => Outcome::Patched(Arc::new(under_way.report)),
            None => Outcome::Cancelled,
        })
    }
}

fn of_other_length(source: usize, destination: usize) -> UserError {
    UserError::new(
        format!("The prompts have {source} and {destination} tokens."),
        "Values are taken over token by token, so both must have as many.",
        "Change words until both are split into equally many tokens; a name of two tokens needs another one of two.",
    )
}

fn without_heads(site: PatchSite) -> UserError {
    UserError::new(
        format!("{site} has no heads to take over one by one."),
        "It is one vector a token, of all heads together.",
        "Patch it by position, or choose attn.z, attn.q, attn.k, attn.v or attn.pattern.",
    )
}

fn check_ends(answers: &[LensTarget; 2], ends: [f64; 2]) -> Result<(), UserError> {
    if answers[0].id == answers[1].id {
        return Err(UserError::new(
            format!("Both prompts have the answer {:?}.", answers[0].text),
            "The map tells how an answer turns from that of the destination to that of the source; there is nothing to tell.",
            "Name two answers that differ, or change one of the prompts.",
        ));
    }
    // What is no number is no difference either.
    if (ends[1] - ends[0]).abs() >= PatchReport::LEAST_DIFFERENCE {
        return Ok(());
    }
    Err(UserError::new(
        "The two prompts do not differ in this answer.",
        format!(
            "The score of {:?} is {:.6} above that of {:?} in the destination and {:.6} in the source: a map between them would show \
             nothing but rounding.",
            answers[0].text, ends[0], answers[1].text, ends[1]
        ),
        "Change one of the prompts, or name two answers between which they decide.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_that_do_not_differ_are_refused_with_both_numbers() {
        let answer = |id: u32| LensTarget { id, text: format!("t{id}"), of: 1 };
        assert!(check_ends(&[answer(1), answer(2)], [0.5, 0.6]).is_ok());
        let error = check_ends(&[answer(1), answer(2)], [0.5, 0.5]).unwrap_err();
        assert!(error.why.contains("0.500000") && error.why.contains("t1"), "{error}");
        assert!(check_ends(&[answer(1), answer(2)], [f64::NAN, 0.5]).is_err());
        assert!(check_ends(&[answer(1), answer(1)], [0.5, 0.9]).unwrap_err().what.contains("t1"));
    }

    #[test]
    fn prompts_of_other_lengths_are_refused_with_both() {
        let error = of_other_length(4, 5);
        assert!(error.what.contains("4 and 5 tokens"), "{error}");
    }
}
