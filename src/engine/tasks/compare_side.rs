//! One of two models whose losses are compared: its network as it was when the comparison began, and what it makes of examples.

use super::embed::unreadable;
use super::evaluate_classes::unknown;
use super::subject::no_answers;
use super::{LoadedModel, wrong_kind};
use crate::load::{self, NamedPictures, Preprocessor};
use crate::nn::{CausalLm, DigitNet, Hooks, TextClassifier, Vit};
use crate::train::Example;
use crate::train::text_loss::token_costs;
use crate::types::{DIGIT_SIDE, ModelInfo, ModelKind, Problem, UserError};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

/// Multiplications a step is meant to take.
const MULTIPLICATIONS: u64 = 1 << 35;
/// Texts that are predicted in one step at most.
const MOST_TEXTS: usize = 16;
/// Tokens of texts that are classified in one step, unless a single one has more.
const TOKENS: usize = 1024;
const PICTURES: usize = 8;
const DIGITS: usize = 250;

/// A model.
pub(super) struct Side {
    /// What is known of it.
    pub info: ModelInfo,
    reads: Reads,
}

#[allow(clippy::large_enum_variant, reason = "there are two of them; nothing copies them in a loop")]
enum Reads {
    Text(CausalLm),
    /// Of each example the tokens that are read, and its class.
    Texts {
        net: TextClassifier,
        padding_id: Option<u32>,
        labels: Vec<String>,
        ids: Vec<Vec<u32>>,
        classes: Vec<usize>,
    },
    Pictures {
        net: Vit,
        preprocessor: Box<Preprocessor>,
        labels: Vec<String>,
        classes: Vec<usize>,
        pictures: NamedPictures,
    },
    Digits(DigitNet),
}

/// What an example costs.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cost {
    /// Nats of each token that is predicted.
    Tokens(Vec<f32>),
    /// Nats of the class, and the number of the likeliest one.
    Class(f64, Option<usize>),
}

impl Side {
    /// Of an open model; of one with an adapter, where that is asked for, the base.
    ///
    /// # Errors
    /// When it is of a kind that has no losses, or has no adapter.
    pub(super) fn of(model: &LoadedModel, is_base: bool) -> Result<Self, UserError> {
        let mut info = model.info().clone();
        let reads = match model {
            LoadedModel::Text(text) if is_base => {
                let attached = text.adapter.as_ref().ok_or_else(|| no_adapter(&info))?;
                Reads::Text(attached.base.clone())
            }
            LoadedModel::Encoder(_) | LoadedModel::Digits(_) if is_base => return Err(no_adapter(&info)),
            LoadedModel::Text(text) => Reads::Text(load::merged(&text.lm)),
            LoadedModel::Classifier(model) => {
                if model.tells.problem != Problem::OneClass {
                    return Err(UserError::new(
                        format!("{} has no loss of which class is right.", info.name),
                        "Its head gives numbers, or any number of classes at once.",
                        "Choose a classifier of which one class is right.",
                    ));
                }
                let net = match &model.adapter {
                    Some(attached) if is_base => attached.base.clone(),
                    None if is_base => return Err(no_adapter(&info)),
                    _ => model.net(),
                };
                let (padding_id, labels) = (model.padding_id, model.tells.labels.clone());
                Reads::Texts { net, padding_id, labels, ids: Vec::new(), classes: Vec::new() }
            }
            LoadedModel::Vision(model) if model.labels.is_empty() => return Err(no_answers(&info)),
            LoadedModel::Vision(model) => {
                let net = match &model.adapter {
                    Some(attached) if is_base => attached.base.clone(),
                    None if is_base => return Err(no_adapter(&info)),
                    _ => model.vit.clone(),
                };
                let labels = model.labels.clone();
                let preprocessor = Box::new(model.preprocessor.clone());
                Reads::Pictures { net, preprocessor, labels, classes: Vec::new(), pictures: NamedPictures::default() }
            }
            LoadedModel::Digits(model) => Reads::Digits(model.net.clone()),
            LoadedModel::Encoder(_) => return Err(wrong_kind(&info, ModelKind::CausalLm)),
        };
        if is_base {
            info.adapter = None;
        }
        Ok(Self { info, reads })
    }

    /// Names of the classes it tells.
    pub(super) fn labels(&self) -> Vec<String> {
        match &self.reads {
            Reads::Text(_) => Vec::new(),
            Reads::Texts { labels, .. } | Reads::Pictures { labels, .. } => labels.clone(),
            Reads::Digits(_) => (0..10).map(|digit| digit.to_string()).collect(),
        }
    }

    /// Numbers the classes of labelled examples and turns texts into tokens, at most `context` of each. Tells which texts were cut.
    ///
    /// # Errors
    /// When a label is one it does not know, or a text cannot be read.
    pub(super) fn take_in(
        &mut self,
        model: &LoadedModel,
        examples: &[(usize, Example)],
        context: Option<usize>,
    ) -> Result<Vec<bool>, UserError> {
        let numbered = |labels: &[String]| -> Result<Vec<usize>, UserError> {
            let class = |(_, example): &(usize, Example)| match example {
                Example::Labelled { label, .. } => {
                    let known = labels.iter().position(|known| known == label);
                    known.ok_or_else(|| unknown(model.info(), labels, label))
                }
                _ => Ok(0),
            };
            examples.iter().map(class).collect()
        };
        match (&mut self.reads, model) {
            (Reads::Texts { labels, ids, classes, .. }, LoadedModel::Classifier(model)) => {
                *classes = numbered(labels)?;
                let longest = context.unwrap_or(model.tells.longest).min(model.tells.longest);
                let vocabulary = model.info().shape.vocabulary().unwrap_or(usize::MAX);
                let read = |(_, example): &(usize, Example)| -> Result<(Vec<u32>, bool), UserError> {
                    let Example::Labelled { text, .. } = example else { return Ok((Vec::new(), false)) };
                    let (ids, left_out) = model.ids_at_most(text, longest)?;
                    if ids.is_empty() || ids.iter().any(|id| *id as usize >= vocabulary) {
                        return Err(no_tokens(model.info(), text));
                    }
                    Ok((ids, left_out > 0))
                };
                let read: Vec<(Vec<u32>, bool)> = examples.par_iter().map(read).collect::<Result<_, _>>()?;
                let (texts, cut) = read.into_iter().unzip();
                *ids = texts;
                Ok(cut)
            }
            (Reads::Pictures { labels, classes, pictures, .. }, _) => {
                *classes = numbered(labels)?;
                let name = |(_, example): &'_ (usize, Example)| match example {
                    Example::Labelled { text, .. } => Some(text.clone()),
                    _ => None,
                };
                let names: Vec<String> = examples.iter().filter_map(name).collect();
                *pictures = NamedPictures::of(names.iter().map(String::as_str))?;
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// How many of the examples from `first` on are read in a step; at least 1.
    pub(super) fn portion(&self, examples: &[(usize, Example)], first: usize) -> usize {
        match &self.reads {
            Reads::Text(_) => {
                let length = match &examples[first].1 {
                    Example::Tokens { ids, .. } => ids.len() as u64,
                    _ => 1,
                };
                let of_one = (self.info.parameters * length).max(1);
                usize::try_from(MULTIPLICATIONS / of_one).unwrap_or(MOST_TEXTS).clamp(1, MOST_TEXTS)
            }
            Reads::Texts { ids, .. } => {
                let (mut count, mut longest) = (0, 0);
                for text in &ids[first..] {
                    longest = longest.max(text.len());
                    if count > 0 && longest * (count + 1) > TOKENS {
                        break;
                    }
                    count += 1;
                }
                count
            }
            Reads::Pictures { .. } => PICTURES,
            Reads::Digits(_) => DIGITS,
        }
        .min(examples.len() - first)
    }

    /// What some examples cost, the first of which stands at `first`.
    ///
    /// # Errors
    /// When a picture cannot be read, or answers cannot be read from the device.
    pub(super) fn costs(
        &self,
        examples: &[(usize, Example)],
        first: usize,
        device: &Device,
    ) -> Result<Vec<Cost>, UserError> {
        match &self.reads {
            Reads::Text(net) => {
                let cost = |(_, example): &(usize, Example)| match example {
                    Example::Tokens { ids, predicted } => {
                        token_costs(net, ids, predicted, device).map(Cost::Tokens).map_err(unreadable)
                    }
                    _ => Ok(Cost::Tokens(Vec::new())),
                };
                examples.iter().map(cost).collect()
            }
            Reads::Texts { net, padding_id, ids, classes, .. } => {
                let here = first..first + examples.len();
                let texts: Vec<&[u32]> = ids[here.clone()].iter().map(Vec::as_slice).collect();
                told(&net.forward(&texts, *padding_id), &classes[here])
            }
            Reads::Pictures { net, preprocessor, classes, pictures, .. } => {
                let pixels = |(_, example): &(usize, Example)| -> Result<Vec<f32>, UserError> {
                    let Example::Labelled { text, .. } = example else { return Ok(Vec::new()) };
                    Ok(preprocessor.pixels(&preprocessor.seen(&pictures.picture(text)?)))
                };
                let pixels: Vec<Vec<f32>> = examples.par_iter().map(pixels).collect::<Result<_, _>>()?;
                let scores = net.forward(preprocessor.batch(&pixels, device), &mut Hooks::off());
                told(&scores.ok_or_else(|| no_answers(&self.info))?, &classes[first..first + examples.len()])
            }
            Reads::Digits(net) => {
                let (mut pixels, mut classes) = (Vec::new(), Vec::new());
                for (_, example) in examples {
                    if let Example::Digit { pixels: ink, label } = example {
                        pixels.extend(ink.iter().map(|&v| f32::from(v) / 255.0));
                        classes.push(usize::from(*label));
                    }
                }
                let pixels = TensorData::new(pixels, [examples.len(), DIGIT_SIDE * DIGIT_SIDE]);
                told(&net.forward(Tensor::from_data(pixels, device), &mut Hooks::off()), &classes)
            }
        }
    }
}

/// What the right classes cost, by scores `[B, L]`.
fn told(scores: &Tensor<2>, classes: &[usize]) -> Result<Vec<Cost>, UserError> {
    let [_, labels] = scores.dims();
    let values = scores.try_to_vec_as::<f32>().map_err(unreadable)?;
    Ok(values.chunks_exact(labels).zip(classes).map(|(row, class)| of_class(row, *class)).collect())
}

/// −ln softmax(scores)[class], and the likeliest class.
fn of_class(scores: &[f32], class: usize) -> Cost {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = scores.iter().map(|score| f64::from(score - largest).exp()).sum();
    let nats = sum.ln() - f64::from(scores[class] - largest);
    let likeliest = (!nats.is_nan()).then(|| crate::train::objectives::most_likely(scores));
    Cost::Class(nats, likeliest)
}

pub(super) fn no_adapter(info: &ModelInfo) -> UserError {
    UserError::new(
        format!("{} has no adapter to be without.", info.name),
        "Only a model that an adapter was put on has a base that stands beside it.",
        "Choose another model to compare with.",
    )
}

fn no_tokens(info: &ModelInfo, text: &str) -> UserError {
    let text: String = text.chars().take(60).collect();
    UserError::new(
        format!("An example cannot be read: {text:?}."),
        format!("The tokenizer of {} makes no tokens of it that the model knows.", info.name),
        "Leave it out of the file.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_costs_what_its_share_is_worth_and_no_number_is_none() {
        let Cost::Class(nats, likeliest) = of_class(&[0.0, 2.0_f32.ln(), 0.0], 1) else { panic!() };
        assert!((nats - 2.0_f64.ln()).abs() < 1e-7 && likeliest == Some(1));
        let Cost::Class(nats, likeliest) = of_class(&[0.0, f32::NAN], 0) else { panic!() };
        assert!(nats.is_nan() && likeliest.is_none());
        let Cost::Class(nats, _) = of_class(&[1e30, 0.0], 1) else { panic!() };
        assert!(nats > 1e29, "large, and still a number");
    }
}
