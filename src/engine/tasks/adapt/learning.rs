//! A network that learns the examples, and answers the test.

use super::peak::Peak;
use super::subject::{Lesson, NetOf, Pupil, Subject};
use super::{Outcomes, Ready};
use crate::engine::tasks::subject::rows;
use crate::engine::tasks::train_memory;
use crate::train::{Happened, Run};
use crate::types::{AdaptSpec, ClassifyTask, LrSchedule, Precision, StartFrom, TrainSpec, TrainTask, UserError, Way};
use burn::tensor::{Device, Tensor, TensorData};
use std::time::Instant;

/// Weight decay of matrices, and the largest norm of a gradient: what transformers' users start with.
const DECAY: f64 = 0.01;
const CLIP: f64 = 1.0;
/// One step in so many is warm-up.
const WARM_UP: usize = 10;
/// Examples whose vectors a head decides on at once.
const DECIDED: usize = 256;

/// A network on its way.
pub(super) struct Learning<S: Subject> {
    way: Way,
    state: State<S>,
    used: usize,
    learned: u64,
    adapt_s: f64,
    query_s: f64,
    peak: Peak,
    peak_bytes: Option<u64>,
}

enum State<S: Subject> {
    Learning(Box<Run<S::Objective>>),
    /// What has learned, what waits to be read, what is said of each of those that are read, and the tokens of these.
    Answering {
        net: Box<NetOf<S>>,
        waiting: Vec<S::Item>,
        shares: Vec<Vec<f64>>,
        tokens: usize,
    },
    /// The same of a head, which reads vectors that are there.
    Deciding(Box<NetOf<S>>),
    Done,
}

impl<S: Subject> Learning<S> {
    /// To learn some examples, each with the class it is told with.
    ///
    /// # Errors
    /// When the model cannot learn so, or there is too little memory for it.
    pub(super) fn begin(
        ready: &Ready<S>,
        spec: &AdaptSpec,
        (way, seed): (Way, u64),
        drawn: &[(usize, usize)],
        device: &Device,
    ) -> Result<Self, UserError> {
        let (begun, peak) = (Instant::now(), Peak::begin());
        let vectors = (way == Way::Head).then(|| {
            let vectors = ready.of_head().vectors();
            drawn.iter().flat_map(|(place, _)| vectors.row(*place)).copied().collect::<Vec<f32>>()
        });
        let lesson = Lesson { way, seed, labels: &ready.data.labels, drawn, vectors, device };
        let pupil = ready.subject.pupil(&lesson)?;
        let spec = recipe(spec, &lesson, pupil.info.parameters);
        let net = pupil.first_net(&spec)?;
        let Pupil { objective, info, .. } = pupil;
        if *device == Device::flex() && way != Way::Head {
            train_memory::refuse_too_wide(&info, &spec)?;
        }
        let run = Run::begin(spec, objective, net, None, device)?;
        if *device == Device::flex() {
            train_memory::refuse_too_large(&info, run.spec(), run.learned())?;
        }
        let learned = run.learned();
        // What a head learns from was computed before, and is part of what adapting takes.
        let of_vectors = if way == Way::Head { ready.of_head().seconds_each() * drawn.len() as f64 } else { 0.0 };
        Ok(Self {
            way,
            state: State::Learning(Box::new(run)),
            used: drawn.len(),
            learned,
            adapt_s: begun.elapsed().as_secs_f64() + of_vectors,
            query_s: 0.0,
            peak,
            peak_bytes: None,
        })
    }

    /// Takes a step or answers some of the test; what all came to, once all are answered.
    ///
    /// # Errors
    /// When the loss is no number, or answers cannot be read.
    pub(super) fn step(&mut self, ready: &Ready<S>, device: &Device) -> Result<Option<Outcomes>, UserError> {
        let begun = Instant::now();
        let state = std::mem::replace(&mut self.state, State::Done);
        let is_learning = matches!(state, State::Learning(_));
        let next = self.advance(state, ready, device)?;
        let took = begun.elapsed().as_secs_f64();
        *(if is_learning { &mut self.adapt_s } else { &mut self.query_s }) += took;
        let (shares, tokens) = match next {
            Next::More(state) => {
                self.state = state;
                return Ok(None);
            }
            Next::Done { shares, tokens } => (shares, tokens),
        };
        let (asked, of_head) = (ready.test.len(), ready.of_head());
        // Vectors that a head decides on were made before.
        let of_vectors = if tokens.is_none() { of_head.seconds_each() * asked as f64 } else { 0.0 };
        Ok(Some(Outcomes {
            shares,
            used: self.used,
            adapt_s: self.adapt_s,
            query_s: self.query_s + of_vectors,
            tokens: tokens
                .map_or_else(|| of_head.tokens_each(&ready.test), |tokens| tokens as f64 / asked.max(1) as f64),
            learned: self.learned,
            bytes: 4 * self.learned,
            peak: self.peak_bytes,
        }))
    }

    fn advance(&mut self, state: State<S>, ready: &Ready<S>, device: &Device) -> Result<Next<S>, UserError> {
        let subject = &ready.subject;
        Ok(Next::More(match state {
            State::Learning(mut run) => match run.advance(device) {
                Happened::Finished => {
                    self.peak_bytes = self.peak.end();
                    let net = Box::new(run.result().0);
                    if self.way == Way::Head {
                        State::Deciding(net)
                    } else {
                        let waiting = subject.queue(&ready.test)?;
                        let shares = vec![Vec::new(); waiting.len()];
                        State::Answering { net, waiting, shares, tokens: 0 }
                    }
                }
                Happened::Diverged { step, loss } => return Err(diverged(&run.spec().learning_rate, step, loss)),
                _ => State::Learning(run),
            },
            State::Answering { net, mut waiting, mut shares, mut tokens } => {
                if waiting.is_empty() {
                    return Ok(Next::Done { shares, tokens: Some(tokens) });
                }
                let batch = subject.take(&mut waiting);
                let scores = rows(&subject.scores(&net, &batch)?, subject.info())?;
                for (item, scores) in batch.iter().zip(scores) {
                    let asked = ready.test.binary_search(&subject.place(item)).expect("what is asked is of the test");
                    shares[asked] = log_softmax(&scores);
                    tokens += subject.tokens(item);
                }
                State::Answering { net, waiting, shares, tokens }
            }
            State::Deciding(net) => {
                let (vectors, mut shares) = (ready.of_head().vectors(), Vec::with_capacity(ready.test.len()));
                for places in ready.test.chunks(DECIDED) {
                    let numbers: Vec<f32> = places.iter().flat_map(|place| vectors.row(*place)).copied().collect();
                    let numbers = TensorData::new(numbers, [places.len(), vectors.width]);
                    let scores = subject.decide(&net, Tensor::from_data(numbers, device));
                    shares.extend(rows(&scores, subject.info())?.iter().map(|scores| log_softmax(scores)));
                }
                return Ok(Next::Done { shares, tokens: None });
            }
            State::Done => unreachable!("what is done is not asked again"),
        }))
    }
}

enum Next<S: Subject> {
    More(State<S>),
    /// What is said of each of the test, and the tokens that were read for it, unless vectors of it were there.
    Done {
        shares: Vec<Vec<f64>>,
        tokens: Option<usize>,
    },
}

/// How a network learns.
fn recipe(spec: &AdaptSpec, lesson: &Lesson<'_>, parameters: u64) -> TrainSpec {
    let (batch_size, steps) = spec.training.steps(lesson.drawn.len());
    TrainSpec {
        task: TrainTask::Classify(ClassifyTask::at_hand(lesson.learns())),
        start: StartFrom::OpenModel,
        out: None,
        precision: Precision::F32,
        learning_rate: spec.training.rate(lesson.way, parameters),
        groups: Vec::new(),
        lora: (lesson.way == Way::Lora).then(|| spec.training.lora.clone()),
        schedule: LrSchedule::Cosine,
        warmup_steps: steps / WARM_UP,
        weight_decay: DECAY,
        clip_norm: CLIP,
        batch_size,
        accumulate: 1,
        steps,
        validation_share: 0.0,
        learn_from: 1.0,
        eval_every: steps,
        patience: 0,
        seed: lesson.seed,
        sample_prompts: Vec::new(),
        snapshots: None,
    }
}

/// ln of each share.
fn log_softmax(scores: &[f32]) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = scores.iter().map(|score| f64::from(score - largest).exp()).sum();
    scores.iter().map(|score| f64::from(score - largest) - sum.ln()).collect()
}

fn diverged(rate: &f64, step: usize, loss: f64) -> UserError {
    UserError::new(
        format!("Learning ended at step {step}: the loss became {loss}."),
        format!("The weights ran away at a learning rate of {rate}."),
        "Lower the rate of this way, or leave it out.",
    )
}
