//! Measures a model: digits on labelled images, classifiers on labelled texts, causal models on text.
//!
//! Text is scored in windows of at most 512 tokens that overlap by half: a window's first half is context, its second half is
//! scored, so every token but the first few of the text is predicted from at least half a window. Documents stand one after
//! the other with the special tokens that training puts between them; the bits those cost are counted, their bytes are not.

use super::evaluate_beside::Beside;
use super::evaluate_classes::Classes;
use super::{LoadedModel, Step, Task, TaskContext};
use crate::engine::{Event, Outcome};
use crate::load::TextModel;
use crate::load::data::text_data;
use crate::load::digit::idx;
use crate::load::digit::idx::DigitSet;
use crate::train::data::corpus::CorpusReader;
use crate::train::data::token_ids::TokenParts;
use crate::train::objectives::measure as measure_digits;
use crate::train::text_loss::text_loss;
use crate::types::{EvaluateSpec, EvaluationReport, FullPrecision, ModelId, UserError};
use std::path::Path;
use std::sync::Arc;

/// Images measured in one step.
const IMAGES: usize = 250;
/// Longest window in tokens.
const WINDOW: usize = 512;
/// Windows that are read in one pass at most, and multiplications a pass is meant to take at least: several windows keep all threads
/// busy where a model has few heads of keys.
const MOST_WINDOWS: usize = 8;
const MULTIPLICATIONS: u64 = 1 << 37;

/// Measures in slices.
pub(crate) struct Evaluate {
    model: ModelId,
    spec: EvaluateSpec,
    measuring: Measuring,
}

enum Measuring {
    New,
    Digits { set: DigitSet, next: usize, loss: f64, confusion: Vec<Vec<usize>> },
    Classes(Box<Classes>),
    Reading(Box<CorpusReader>),
    Text { ids: TokenParts, bytes: usize, next: usize, loss: f64, beside: Option<Box<Beside>> },
}

impl Evaluate {
    /// To measure `model` on data: a folder of IDX files for a digit network, a text file or a folder of text files for a
    /// causal model, labelled texts for a classifier.
    pub(crate) fn new(model: ModelId, spec: EvaluateSpec) -> Self {
        Self { model, spec, measuring: Measuring::New }
    }

    fn begin(&self, cx: &TaskContext<'_>) -> Result<Measuring, UserError> {
        match cx.models.get(self.model) {
            Some(LoadedModel::Digits(model)) => {
                let classes = model.config.classes();
                let set = read_digits(&self.spec.data)?;
                Ok(Measuring::Digits { set, next: 0, loss: 0.0, confusion: vec![vec![0; classes]; classes.max(10)] })
            }
            Some(LoadedModel::Vision(model)) => {
                Ok(Measuring::Classes(Box::new(Classes::of_pictures(model, &self.spec)?)))
            }
            Some(LoadedModel::Classifier(model)) => {
                Ok(Measuring::Classes(Box::new(Classes::of_texts(model, &self.spec)?)))
            }
            _ => {
                let model = cx.models.text(self.model)?;
                let files = text_data::text_files(std::slice::from_ref(&self.spec.data))?;
                Ok(Measuring::Reading(Box::new(CorpusReader::of_model(files, model)?)))
            }
        }
    }
}

impl Task for Evaluate {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let job = cx.job;
        match &mut self.measuring {
            Measuring::New => self.measuring = self.begin(cx)?,
            Measuring::Digits { set, next, loss, confusion } => {
                let net = &cx.models.digits(self.model)?.net;
                let images = *next..(*next + IMAGES).min(set.len());
                let (score, predictions) = measure_digits(net, set, images.clone(), cx.device);
                *loss += score.loss;
                for (i, prediction) in images.clone().zip(predictions) {
                    confusion[usize::from(set.label(i))][prediction] += 1;
                }
                *next = images.end;
                let (done, total) = (images.end as u64, set.len() as u64);
                (cx.emit)(Event::Progress { job, label: "Measuring".to_owned(), done, total, unit: "images" });
                if *next == set.len() {
                    let report = digit_report(set.len(), *loss, std::mem::take(confusion));
                    return Ok(Step::Done(Outcome::Evaluated(Arc::new(report))));
                }
            }
            Measuring::Classes(classes) => {
                let report = classes.step(cx, self.model)?;
                let (done, total) = classes.progress();
                (cx.emit)(Event::Progress { job, label: "Measuring".to_owned(), done, total, unit: "examples" });
                if let Some(report) = report {
                    return Ok(Step::Done(Outcome::Evaluated(Arc::new(report))));
                }
            }
            Measuring::Reading(reader) => {
                let tokenizer = &cx.models.text(self.model)?.tokenizer;
                let is_done = reader.step(tokenizer)?;
                let (done, total) = reader.progress();
                let label = "Reading the text".to_owned();
                (cx.emit)(Event::Progress { job, label, done, total, unit: "bytes" });
                if is_done && let Measuring::Reading(reader) = std::mem::replace(&mut self.measuring, Measuring::New) {
                    let corpus = reader.finish()?;
                    let ids = corpus.parts(corpus.files.iter().map(|file| file.tokens.clone()));
                    let bytes = corpus.files.iter().map(|file| file.bytes).sum();
                    check_length(&self.spec.data, &ids)?;
                    let beside = self
                        .spec
                        .beside_full
                        .then(|| cx.models.text(self.model).map(|model| Box::new(Beside::new(model))));
                    self.measuring = Measuring::Text { ids, bytes, next: 1, loss: 0.0, beside: beside.transpose()? };
                }
            }
            Measuring::Text { ids, bytes, next, loss, beside } => {
                let model = cx.models.text(self.model)?;
                let window = model.lm.context().min(WINDOW);
                let (of_windows, end) = match beside {
                    Some(beside) => {
                        let Windows { windows, scored, end } = Windows::from(ids, *next, window, 1);
                        (beside.score(model, &windows[0], scored, cx.device)?, end)
                    }
                    None => score_windows(cx, model, ids, *next, window, windows_a_step(model, window)),
                };
                *loss += of_windows;
                *next = end;
                let (done, total) = (end as u64, ids.len() as u64);
                (cx.emit)(Event::Progress { job, label: "Measuring".to_owned(), done, total, unit: "tokens" });
                if end == ids.len() {
                    let full = beside.as_ref().map(|beside| beside.report());
                    let report = text_report(ids.len() - 1, *bytes, *loss, full);
                    return Ok(Step::Done(Outcome::Evaluated(Arc::new(report))));
                }
            }
        }
        Ok(Step::More)
    }
}

/// Test images where a folder has them, else training images.
fn read_digits(folder: &Path) -> Result<DigitSet, UserError> {
    let folder = idx::read(folder)?;
    Ok(folder.test.or(folder.train).unwrap_or_default())
}

fn digit_report(images: usize, loss: f64, confusion: Vec<Vec<usize>>) -> EvaluationReport {
    let correct: usize = confusion.iter().enumerate().filter_map(|(label, row)| row.get(label)).sum();
    let images_f = images as f64;
    EvaluationReport::Digits { images, accuracy: correct as f64 / images_f, loss: loss / images_f, confusion }
}

fn text_report(tokens: usize, bytes: usize, loss: f64, full: Option<FullPrecision>) -> EvaluationReport {
    let mean = loss / tokens as f64;
    let bits_per_byte = loss / std::f64::consts::LN_2 / bytes as f64;
    EvaluationReport::Text { tokens, bytes, loss: mean, perplexity: mean.exp(), bits_per_byte, full }
}

fn check_length(data: &Path, ids: &TokenParts) -> Result<(), UserError> {
    if ids.len() >= 2 {
        return Ok(());
    }
    Err(UserError::new(
        format!("{} is too short to measure.", data.display()),
        "It gives fewer than two tokens, and a prediction needs one before it.",
        "Choose a longer text.",
    ))
}

fn windows_a_step(model: &TextModel, window: usize) -> usize {
    let of_window = model.info.parameters.max(1) * window as u64;
    usize::try_from(MULTIPLICATIONS.div_ceil(of_window)).unwrap_or(MOST_WINDOWS).min(MOST_WINDOWS)
}

/// Windows of one length.
struct Windows {
    windows: Vec<Vec<u32>>,
    /// Tokens at the end of each that are predicted.
    scored: usize,
    /// The token behind the last one.
    end: usize,
}

impl Windows {
    /// At most `most` of them, which score the tokens from `next` on.
    fn from(ids: &TokenParts, next: usize, window: usize, most: usize) -> Self {
        let (mut windows, mut scored, mut end) = (Vec::<Vec<u32>>::new(), 0, next);
        while windows.len() < most && end < ids.len() {
            // The first window has no context to wait for; later ones score their second half.
            let start = if end == 1 { 0 } else { end - (window / 2).min(end) };
            let stop = (start + window + 1).min(ids.len());
            let is_alike = windows.first().is_none_or(|first| first.len() == stop - start && scored == stop - end);
            if !is_alike {
                break;
            }
            windows.push(ids.copy(start..stop));
            (scored, end) = (stop - end, stop);
        }
        Self { windows, scored, end }
    }
}

/// Sum of cross-entropies of the tokens from `next` on, as far as some windows of one length go, at most `most` of them, and the token
/// after them.
fn score_windows(
    cx: &TaskContext<'_>,
    model: &TextModel,
    ids: &TokenParts,
    next: usize,
    window: usize,
    most: usize,
) -> (f64, usize) {
    let Windows { windows, scored, end } = Windows::from(ids, next, window, most);
    let windows: Vec<&[u32]> = windows.iter().map(Vec::as_slice).collect();
    let mean = text_loss(&model.lm, &windows, scored, cx.device).into_scalar::<f32>();
    (f64::from(mean) * (scored * windows.len()) as f64, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tasks::ModelStore;
    use crate::load::Tokenizer;
    use crate::nn::{Hooks, LlamaConfig, LlamaFamily, Random, TextConfig};
    use crate::types::JobId;
    use burn::tensor::Device;

    fn store(context: usize) -> (ModelStore, ModelId) {
        let config = TextConfig::Llama(LlamaConfig {
            family: LlamaFamily::Llama,
            vocabulary: 256,
            context,
            hidden: 16,
            layers: 1,
            heads: 2,
            kv_heads: 1,
            head_dim: 8,
            intermediate: 24,
            epsilon: 1e-5,
            rope_theta: 10_000.0,
            rope_scaling: None,
            qkv_bias: false,
            attn_out_bias: false,
            head_norm: false,
            sliding: None,
            mlp_bias: false,
            tied: true,
        });
        let lm = config.init(&Device::flex());
        let model = TextModel::new("test", config, lm, Tokenizer::bytes(), None, Vec::new());
        let (mut store, id) = (ModelStore::default(), ModelId::next());
        store.insert(id, LoadedModel::Text(model));
        (store, id)
    }

    #[test]
    fn every_token_but_the_first_is_scored_once_with_half_a_window_before_it() {
        let ids: TokenParts = (0..100).map(|i| (i * 37 % 256) as u32).collect();
        let (mut models, id) = store(64);
        let device = Device::flex();
        let cx = TaskContext { job: JobId::next(), device: &device, models: &mut models, emit: &mut |_| {} };
        for window in [10, 16, 64, 100] {
            let window = window.min(64);
            let (mut next, mut ends) = (1, vec![1]);
            while next < ids.len() {
                next = score_windows(&cx, cx.models.text(id).unwrap(), &ids, next, window, 1).1;
                assert!(next > ends[ends.len() - 1], "it must go on");
                ends.push(next);
            }
            assert_eq!(next, ids.len());
            assert!(ends[2..ends.len() - 1].windows(2).all(|e| e[1] - e[0] == window / 2 + 1));
        }
    }

    #[test]
    fn a_window_scores_what_the_model_says_of_its_tokens() {
        let mut random = Random::new(2, 0);
        let ids: Vec<u32> = (0..40).map(|_| random.below(256) as u32).collect();
        let (mut models, id) = store(64);
        let device = Device::flex();
        let cx = TaskContext { job: JobId::next(), device: &device, models: &mut models, emit: &mut |_| {} };
        // By hand: the probability of each token after those the window holds before it.
        let lm = &cx.models.text(id).unwrap().lm;
        let by_hand = |range: std::ops::Range<usize>, start: usize| -> f64 {
            let cost = |at: usize| {
                let logits = lm.forward_cached(lm.ids(&ids[start..at]), &mut lm.new_state(), &mut Hooks::off());
                let logits = logits.try_to_vec_as::<f32>().unwrap();
                -crate::nn::output::sample::log_softmax(&logits)[ids[at] as usize]
            };
            range.map(cost).sum()
        };
        let parts: TokenParts = ids.iter().copied().collect();
        let score = |next, most| score_windows(&cx, cx.models.text(id).unwrap(), &parts, next, 16, most);
        let (first, end) = score(1, 4);
        assert_eq!(end, 17, "the first window is unlike the others");
        assert!((first - by_hand(1..17, 0)).abs() < 1e-3);
        let (second, end) = score(17, 1);
        assert_eq!(end, 26);
        assert!((second - by_hand(17..26, 9)).abs() < 1e-3);
        let (third, end) = score(26, 1);
        assert_eq!(end, 35);
        let (both, end) = score(17, 4);
        assert_eq!(end, 35, "the last window is shorter");
        assert!((both - second - third).abs() < 1e-3);
        let (last, end) = score(35, 4);
        assert_eq!(end, 40);
        assert!((last - by_hand(35..40, 27)).abs() < 1e-3);
    }
}
