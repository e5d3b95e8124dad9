//! Labels as words: a decoder learns to say the label behind a text, as it is asked for by a prompt.
//!
//! What a text costs is −ln of the probability of its label and of what ends it, so that it stands beside the cost of a class.

use super::super::text::{first_net, folder_model};
use super::{Examples, SLICE};
use crate::load::{self, TextModel, Tokenizer};
use crate::nn::{CausalLm, Hooks, cross_entropy, in_full_precision};
use crate::train::objective::{Loss, Objective, Preparation, Progress, Setup, Tally};
use crate::train::stream::dropout;
use crate::train::text_loss::{Chosen, chosen_logits, chosen_loss};
use crate::types::{
    ClassifyTask, FewShotPrompt, LabelWords, ModelKind, PromptToken, SegmentKind, StartFrom, TrainSpec, UserError,
};
use burn::tensor::Device;
use rayon::prelude::*;
use std::path::Path;
use std::sync::Arc;

/// Texts that are turned into tokens in one stretch.
const PORTION: usize = 4096;

/// A decoder and the labelled texts it learns from.
pub(crate) struct ClassifyWords {
    examples: Examples,
    words: LabelWords,
    /// The model of a folder, until all is ready.
    opened: Option<TextModel>,
    tokenizer: Option<Arc<Tokenizer>>,
    layers: usize,
    /// Tokens of an example at most.
    longest: usize,
    read: Vec<Said>,
    /// Texts that were cut off.
    cut: usize,
}

/// An example as tokens.
#[derive(Clone, Debug, Default, PartialEq)]
struct Said {
    ids: Vec<u32>,
    /// Which of those behind the first are learned.
    learned: Vec<bool>,
    is_cut: bool,
}

impl ClassifyWords {
    /// The objective of a task; nothing is read yet.
    pub(crate) fn new(task: ClassifyTask, words: LabelWords) -> Self {
        Self {
            examples: Examples::new(task),
            words,
            opened: None,
            tokenizer: None,
            layers: 0,
            longest: 0,
            read: Vec::new(),
            cut: 0,
        }
    }

    /// The model of a folder, where the run starts from one; and what is needed of the one that learns.
    fn begin(
        &mut self,
        setup: &Setup<'_, TextModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Option<TextModel>, UserError> {
        if let StartFrom::Folder { path } = &setup.spec.start
            && load::peek_kind(path)? != ModelKind::CausalLm
        {
            return Err(no_decoder());
        }
        let opened = folder_model(setup, tell)?;
        let model = opened.as_ref().or(setup.open).ok_or_else(no_decoder)?;
        let context = model.lm.context();
        self.longest = match self.examples.task.context {
            Some(asked) if !(2..=context).contains(&asked) => {
                return Err(UserError::new(
                    format!("Texts of {asked} tokens cannot be learned from."),
                    format!("The model reads up to {context} tokens, and a label needs a text before it."),
                    "Change the context and start again.",
                ));
            }
            Some(asked) => asked,
            None => context,
        };
        self.layers = model.info.shape.layers();
        self.tokenizer = Some(Arc::clone(&model.tokenizer));
        Ok(opened)
    }

    /// Turns the next examples into tokens; true when all are.
    fn take_in(&mut self) -> Result<bool, UserError> {
        let (first, examples) = (self.read.len(), &self.examples.data.examples);
        let next = &examples[first..examples.len().min(first + PORTION)];
        let tokenizer = self.tokenizer.as_ref().ok_or_else(no_decoder)?;
        let (labels, words, longest) = (&self.examples.data.labels, &self.words, self.longest);
        let read = next.par_iter().enumerate().map(|(place, (text, class))| {
            said(tokenizer, words, text, &labels[*class], longest)?.ok_or_else(|| {
                UserError::new(
                    format!("Example {} does not fit.", first + place + 1),
                    format!("Its label {:?} and the template alone take {longest} tokens or more.", labels[*class]),
                    "Raise the context, or shorten label or template.",
                )
            })
        });
        let read: Vec<Said> = read.collect::<Result<_, UserError>>()?;
        self.cut += read.iter().filter(|said| said.is_cut).count();
        self.read.extend(read);
        Ok(self.read.len() == self.examples.data.examples.len())
    }

    /// Some examples as sequences of one length, filled up behind what they have.
    fn batch(&self, places: &[usize]) -> (Vec<Vec<u32>>, Vec<Vec<bool>>) {
        let longest = places.iter().map(|place| self.read[*place].ids.len()).max().unwrap_or(0);
        let filled = |place: &usize| {
            let Said { mut ids, mut learned, .. } = self.read[*place].clone();
            ids.resize(longest, 0);
            learned.resize(longest - 1, false);
            (ids, learned)
        };
        places.iter().map(filled).unzip()
    }

    fn counts(&self, places: &[usize]) -> Vec<usize> {
        let learned = |place: &usize| self.read[*place].learned.iter().filter(|learned| **learned).count();
        places.iter().map(learned).collect()
    }
}

/// An example as tokens: the prompt with its text, then the label and what ends it. `None` where these leave no room for a text.
fn said(
    tokenizer: &Tokenizer,
    words: &LabelWords,
    text: &str,
    label: &str,
    longest: usize,
) -> Result<Option<Said>, UserError> {
    let mut input = text.trim();
    let mut is_cut = false;
    loop {
        let prompt =
            FewShotPrompt { template: words.template.clone(), query: input.to_owned(), ..FewShotPrompt::default() };
        let rendered = prompt.render();
        let begin = rendered.text.len() + prompt.gap().len();
        let whole = format!("{}{}{label}{}", rendered.text, prompt.gap(), prompt.ending());
        let tokens = tokenizer.encode(&whole)?;
        let over = tokens.len().saturating_sub(longest);
        if over == 0 {
            let is_learned = |token: &PromptToken| !token.span.is_empty() && (words.whole || token.span.end > begin);
            let learned = tokens.iter().skip(1).map(is_learned).collect();
            return Ok(Some(Said { ids: tokens.iter().map(|token| token.id).collect(), learned, is_cut }));
        }
        let Some(query) = rendered.segments.iter().find(|segment| segment.kind == SegmentKind::Query) else {
            return Ok(None);
        };
        let of_input = |token: &&PromptToken| !token.span.is_empty() && query.span.contains(&token.span.start);
        let inside: Vec<&PromptToken> = tokens.iter().filter(of_input).collect();
        if inside.len() <= over {
            return Ok(None);
        }
        let end = inside[inside.len() - over].span.start - query.span.start;
        (input, is_cut) = (input[..input.floor_char_boundary(end)].trim_end(), true);
    }
}

impl Objective for ClassifyWords {
    type Model = TextModel;
    type Net = CausalLm;

    fn beta_2(&self) -> f32 {
        0.999
    }

    fn prepare(
        &mut self,
        setup: &Setup<'_, TextModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Preparation<TextModel>, UserError> {
        if self.examples.report.is_none() {
            let label = format!("Reading {}", self.examples.task.data.display());
            tell(Progress { label, done: 0, total: 0, unit: "texts" });
            self.examples.read(setup.spec)?;
            return Ok(Preparation::More);
        }
        if self.tokenizer.is_none() {
            self.opened = self.begin(setup, tell)?;
            return Ok(Preparation::More);
        }
        let is_read = self.take_in()?;
        let (done, total) = (self.read.len() as u64, self.examples.data.examples.len() as u64);
        tell(Progress { label: "Splitting the texts into tokens".to_owned(), done, total, unit: "texts" });
        if !is_read {
            return Ok(Preparation::More);
        }
        if self.cut > 0 {
            let label = format!("{} texts are longer than {} tokens and cut off there", self.cut, self.longest);
            tell(Progress { label, done: total, total, unit: "texts" });
        }
        Ok(self.opened.take().map_or(Preparation::ReadyForOpen, Preparation::Ready))
    }

    fn net(model: &TextModel) -> CausalLm {
        in_full_precision(model.lm.clone())
    }

    fn first_net(&self, spec: &TrainSpec, model: &TextModel) -> Result<CausalLm, UserError> {
        first_net(spec, model)
    }

    fn freezes(&self, path: &str) -> bool {
        // What gives the scores of tokens learns like what stands behind the blocks.
        let path = if path.starts_with("head") { path.to_owned() } else { format!("body.{path}") };
        self.examples.task.learns.freezes(&path, self.layers)
    }

    fn loss(&mut self, spec: &TrainSpec, net: &CausalLm, batch: usize, device: &Device) -> Loss {
        let places = self.examples.batch(spec, batch);
        let (sequences, learned) = self.batch(&places);
        let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let all: usize = self.counts(&places).iter().sum();
        // The mean over texts, not over tokens.
        let hooks = &mut Hooks::off().learning(dropout(spec.seed, batch));
        let mean = chosen_loss(net, &borrowed, &learned, hooks, device) * (all as f64 / places.len() as f64);
        Loss { mean, tokens: sequences.concat(), predicted: places.len() }
    }

    fn examples_per_step(&self, spec: &TrainSpec) -> u64 {
        self.examples.batch_size(spec) as u64
    }

    fn examples_per_epoch(&self) -> Option<u64> {
        Some(self.examples.learned() as u64)
    }

    fn validation_slices(&self) -> usize {
        self.examples.slices()
    }

    /// A text is right where greedy decoding would say its label and what ends it.
    fn validate(&self, net: &CausalLm, slice: usize, device: &Device) -> Tally {
        let net = &load::merged(net);
        let places = self.examples.slice(slice);
        debug_assert!(places.len() <= SLICE);
        let (sequences, learned) = self.batch(places);
        let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let Chosen { logits, targets } = chosen_logits(net, &borrowed, &learned, &mut Hooks::off(), device);
        let counts = self.counts(places);
        let all: usize = counts.iter().sum();
        let likeliest = logits.clone().argmax(1).flatten::<1>(0, 1).equal(targets.clone()).int();
        let is_right: Vec<i64> = likeliest.into_data().iter::<i64>().collect();
        let mut rest = &is_right[..];
        let right = counts.iter().filter(|count| {
            let (own, others) = rest.split_at(**count);
            rest = others;
            own.iter().all(|right| *right == 1)
        });
        let right = right.count();
        let loss = f64::from(cross_entropy(logits, targets).into_scalar::<f32>()) * all as f64;
        Tally { loss, count: places.len(), correct: Some((right, places.len())) }
    }

    fn write_beside(&self, out: &Path) -> Result<(), UserError> {
        self.examples.write_beside(Some([self.cut, self.longest]), out)
    }
}

fn no_decoder() -> UserError {
    UserError::new(
        "Labels are said as words by a decoder.",
        "The run does not start from a model that continues text.",
        "Start from a GPT-2, Llama or another decoder, or leave out [task.words] for a head.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learned_is_the_label_and_its_end_and_long_texts_are_cut() {
        let tokenizer = Tokenizer::bytes();
        let words = LabelWords::default();
        let said = |words: &LabelWords, text: &str, longest| said(&tokenizer, words, text, "good", longest).unwrap();
        let text = |said: &Said| tokenizer.decode(&said.ids);
        let learned = |said: &Said| -> String {
            let ids: Vec<u32> =
                said.ids[1..].iter().zip(&said.learned).filter(|(_, learned)| **learned).map(|(id, _)| *id).collect();
            tokenizer.decode(&ids)
        };
        let whole = said(&words, " A fine film. ", 40).unwrap();
        assert_eq!(text(&whole), "A fine film. = good\n");
        assert_eq!((learned(&whole).as_str(), whole.is_cut), ("good\n", false));
        let all = said(&LabelWords { whole: true, ..words.clone() }, "A film", 40).unwrap();
        assert_eq!(learned(&all), " film = good\n");
        let cut = said(&words, "A fine film", 13).unwrap();
        assert_eq!((text(&cut).as_str(), cut.is_cut), ("A fin = good\n", true));
        assert_eq!(cut.ids.len(), 13);
        assert_eq!(said(&words, "A fine film", 8), None, "no room for a text");
        let other = LabelWords { template: "Q: {input}\nA: {output}.".to_owned(), whole: false };
        assert_eq!(learned(&said(&other, "x", 40).unwrap()), "good.\n");
    }
}
