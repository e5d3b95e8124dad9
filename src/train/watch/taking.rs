//! A snapshot in the making, a stretch at a time: what is held out, what the model writes, and what is read off its weights.

use super::moved::moved;
use crate::train::objective::{Objective, SampleStep, Tally, Written};
use crate::types::{Confusion, RunSample, RunSnapshot, TrainPoint};
use burn::tensor::Device;

/// What is known of a snapshot so far.
pub(in crate::train) struct Taking {
    found: RunSnapshot,
    next: Next,
}

enum Next {
    Measure { slice: usize, sum: Tally },
    Write,
    Read,
}

impl Taking {
    /// Of a step. `point` is what the learning curve has of it, with its validation where there was one.
    pub(in crate::train) fn new<O: Objective>(
        objective: &O,
        (step, examples): (usize, u64),
        point: Option<&TrainPoint>,
    ) -> Self {
        let classes = objective.classes();
        let is_known = classes.is_empty() && point.is_some_and(|point| point.validation_loss.is_some());
        let found = RunSnapshot {
            step,
            examples,
            loss: point.map(|point| point.loss),
            validation_loss: point.and_then(|point| point.validation_loss),
            validation_accuracy: point.and_then(|point| point.validation_accuracy),
            confusion: (!classes.is_empty()).then(|| Confusion::new(classes)),
            ..RunSnapshot::default()
        };
        let measures = objective.validation_slices() > 0 && !is_known;
        Self { found, next: if measures { Next::Measure { slice: 0, sum: Tally::default() } } else { Next::Write } }
    }

    /// The next stretch; the snapshot, once it is whole. `net` and `start`, with which the run began, are without autodiff.
    pub(in crate::train) fn advance<O: Objective>(
        &mut self,
        objective: &mut O,
        [net, start]: [&O::Net; 2],
        device: &Device,
    ) -> Option<RunSnapshot> {
        match self.next {
            Next::Measure { slice, sum } => {
                let (tally, answers) = objective.validate_each(net, slice, device);
                let sum = sum.plus(tally);
                if let Some(confusion) = &mut self.found.confusion {
                    for [class, answer] in answers {
                        if let Some(count) = confusion.counts.get_mut(class).and_then(|row| row.get_mut(answer)) {
                            *count += 1;
                        }
                    }
                }
                self.next = Next::Measure { slice: slice + 1, sum };
                if slice + 1 == objective.validation_slices() {
                    self.found.validation_loss = Some(sum.mean_loss());
                    self.found.validation_accuracy = sum.accuracy();
                    self.next = Next::Write;
                }
            }
            Next::Write => match objective.sample(net) {
                SampleStep::More => {}
                SampleStep::None => self.next = Next::Read,
                SampleStep::Done(Written { prompt, seed, text, is_last }) => {
                    self.found.samples.push(RunSample { step: self.found.step, prompt, seed, text });
                    if is_last {
                        self.next = Next::Read;
                    }
                }
            },
            Next::Read => {
                let [net, start] = [net, start].map(O::whole);
                self.found.heads = objective.head_values(&net);
                self.found.moved = moved(&net, &start);
                return Some(std::mem::take(&mut self.found));
            }
        }
        None
    }
}
