//! The same word in two texts: how far apart its vectors are, layer by layer, and what they are near to.

use super::embed::unreadable;
use super::store::Body;
use super::{ModelStore, Step, Task, TaskContext, prompt, wrong_kind};
use crate::engine::{ContextsSpec, Event, Outcome, PromptInput};
use crate::load::VisionModel;
use crate::nn::{EncoderBatch, Hooks};
use crate::types::{ContextLayer, ContextsReport, ModelId, ModelKind, PromptToken, Site, SiteSet, UserError};
use burn::tensor::Tensor;
use std::sync::Arc;

/// Nearest tokens and positions that are told.
const NEAREST: usize = 5;

/// Reads both texts, then compares a layer a step.
pub(crate) struct Contexts {
    model: ModelId,
    spec: ContextsSpec,
    readings: [prompt::Reading; 2],
    read: Vec<Read>,
    /// The embeddings of all tokens at length 1, `[V, D]`: made once, since they are by far the most to compute with.
    vocabulary: Option<Tensor<2>>,
    report: Option<ContextsReport>,
}

/// A text that was read.
struct Read {
    tokens: Vec<PromptToken>,
    place: usize,
    hooks: Hooks,
}

impl Contexts {
    /// To compare a word in two texts with `model`.
    pub(crate) fn new(model: ModelId, spec: ContextsSpec) -> Self {
        let readings = [prompt::Reading::default(), prompt::Reading::default()];
        Self { model, spec, readings, read: Vec::new(), vocabulary: None, report: None }
    }

    /// Reads the next text; nothing while it is not split into tokens.
    fn read(&mut self, models: &ModelStore) -> Result<Option<Read>, UserError> {
        let which = self.read.len();
        let input = PromptInput::Text(self.spec.texts[which].clone());
        let tokens = match models.body(self.model)? {
            Body::Encoder(model) => prompt::read_encoder(model, &input)?,
            Body::Text(model) => match self.readings[which].read(model, &input)? {
                Some(tokens) => tokens,
                None => return Ok(None),
            },
            Body::Vision(model) => return Err(no_words(model)),
        };
        let place = place_of(&tokens, &self.spec.word).ok_or_else(|| no_word(&self.spec, which))?;
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let mut hooks = Hooks::off().keeping(states(models, self.model)?.into_iter().collect::<SiteSet>());
        match models.body(self.model)? {
            Body::Encoder(model) => model.encoder.trace(&EncoderBatch::one(&ids), &mut hooks),
            Body::Text(model) => model.lm.trace(model.lm.ids(&ids), &mut hooks),
            Body::Vision(model) => return Err(no_words(model)),
        }
        Ok(Some(Read { tokens, place, hooks }))
    }
}

impl Task for Contexts {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        if self.read.len() < 2 {
            if let Some(read) = self.read(cx.models)? {
                self.read.push(read);
            }
            return Ok(Step::More);
        }
        let [first, second] = self.read.as_mut_slice() else { return Ok(Step::More) };
        let report = self.report.get_or_insert_with(|| ContextsReport {
            texts: [first.tokens.clone(), second.tokens.clone()],
            places: [first.place, second.place],
            layers: Vec::new(),
        });
        let states = states(cx.models, self.model)?;
        let done = report.layers.len();
        let kept =
            states.get(done).and_then(|site| Some([first.hooks.take_kept(*site)?, second.hooks.take_kept(*site)?]));
        let Some(kept) = kept else {
            let report = self.report.take().unwrap_or_else(|| unreachable!("it was made above"));
            return Ok(Step::Done(Outcome::ContextsCompared(Arc::new(report))));
        };
        let vectors = kept.map(|value| value.tensor::<3>().squeeze_dim::<2>(0)); // [T, D]
        if self.vocabulary.is_none() {
            self.vocabulary = Some(directions(embeddings(cx.models, self.model)?));
        }
        let Some(vocabulary) = self.vocabulary.clone() else { return Ok(Step::More) };
        let layer = compare(cx.models, self.model, vectors, report.places, vocabulary)?;
        report.layers.push(layer);
        let (done, total) = (done as u64 + 1, states.len() as u64);
        (cx.emit)(Event::Progress {
            job: cx.job,
            label: "Comparing the layers".to_owned(),
            done,
            total,
            unit: "layers",
        });
        Ok(Step::More)
    }
}

/// The residual stream before the first block and after each.
pub(super) fn states(models: &ModelStore, id: ModelId) -> Result<Vec<Site>, UserError> {
    let layers = match models.body(id)? {
        Body::Text(model) => model.info.shape.layers(),
        Body::Encoder(model) => model.info.shape.layers(),
        Body::Vision(model) => return Err(no_words(model)),
    };
    Ok(std::iter::once(Site::ResidPre(0)).chain((0..layers).map(Site::ResidPost)).collect())
}

/// The last token of the last place where a text has the word, whatever its letters' case.
fn place_of(tokens: &[PromptToken], word: &str) -> Option<usize> {
    let wanted = word.trim().to_lowercase();
    if wanted.is_empty() {
        return None;
    }
    let goes_on = |end: usize| {
        tokens.get(end + 1).is_some_and(|next| {
            let touches = next.span.start == tokens[end].span.end && !next.has_blank_before();
            touches && next.piece().starts_with(char::is_alphanumeric)
        })
    };
    (0..tokens.len()).rev().filter(|end| !goes_on(*end)).find(|&end| {
        // A word may be spread over several tokens, of which the last has read the others.
        let mut text = String::new();
        for token in tokens[..=end].iter().rev() {
            text.insert_str(0, &token.piece().to_lowercase());
            let found = text.trim();
            if found == wanted {
                return true;
            }
            let begins = text.starts_with(char::is_whitespace) || token.has_blank_before();
            if !wanted.ends_with(found) || begins {
                return false;
            }
        }
        false
    })
}

/// Rows of length 1.
pub(super) fn directions(rows: Tensor<2>) -> Tensor<2> {
    let lengths = rows.clone().square().sum_dim(1).sqrt().clamp_min(f64::from(f32::MIN_POSITIVE));
    rows / lengths
}

fn compare(
    models: &ModelStore,
    id: ModelId,
    vectors: [Tensor<2>; 2],
    places: [usize; 2],
    vocabulary: Tensor<2>,
) -> Result<ContextLayer, UserError> {
    let [first, second] = vectors.map(directions);
    let both = Tensor::cat(vec![first.clone().narrow(0, places[0], 1), second.clone().narrow(0, places[1], 1)], 0);
    // Each word beside all positions of the other text.
    let to_second = floats(both.clone().narrow(0, 0, 1).matmul(second.transpose()))?;
    let to_first = floats(both.clone().narrow(0, 1, 1).matmul(first.transpose()))?;
    let near = floats(both.matmul(vocabulary.transpose()))?; // [2, V]
    let count = near.len() / 2;
    let token = |(id_of, cosine): (usize, f32)| {
        let id_of = id_of as u32;
        let text = match models.body(id)? {
            Body::Text(model) => model.tokenizer.token_text(id_of),
            Body::Encoder(model) => model.tokenizer.token_text(id_of),
            Body::Vision(model) => return Err(no_words(model)),
        };
        Ok((PromptToken { id: id_of, text, span: 0..0 }, cosine))
    };
    let tokens = |row: usize| {
        let cosines = &near[row * count..(row + 1) * count];
        nearest(cosines, NEAREST).into_iter().map(token).collect::<Result<Vec<_>, UserError>>()
    };
    Ok(ContextLayer {
        cosine: to_second[places[1]],
        tokens: [tokens(0)?, tokens(1)?],
        positions: [nearest(&to_second, NEAREST), nearest(&to_first, NEAREST)],
    })
}

/// The embeddings of all tokens, `[V, D]`.
///
/// # Errors
/// For what reads no tokens.
pub(super) fn embeddings(models: &ModelStore, id: ModelId) -> Result<Tensor<2>, UserError> {
    Ok(match models.body(id)? {
        Body::Text(model) => model.lm.embeddings(),
        Body::Encoder(model) => model.encoder.embeddings(),
        Body::Vision(model) => return Err(no_words(model)),
    })
}

pub(super) fn no_words(model: &VisionModel) -> UserError {
    wrong_kind(&model.info, ModelKind::CausalLm)
}

/// So many of the largest, with their places, largest first.
pub(super) fn nearest(cosines: &[f32], most: usize) -> Vec<(usize, f32)> {
    let mut all: Vec<(usize, f32)> = cosines.iter().copied().enumerate().collect();
    let count = most.min(all.len());
    if count < all.len() {
        all.select_nth_unstable_by(count, |a, b| b.1.total_cmp(&a.1));
        all.truncate(count);
    }
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all
}

pub(super) fn floats(values: Tensor<2>) -> Result<Vec<f32>, UserError> {
    values.into_data().try_to_vec::<f32>().map_err(|error| unreadable(format!("{error:?}")))
}

fn no_word(spec: &ContextsSpec, which: usize) -> UserError {
    let place = ["first", "second"][which];
    UserError::new(
        format!("‘{}’ is not in the {place} text.", spec.word.trim()),
        format!("The text is ‘{}’, and the word is looked for in its tokens.", spec.texts[which]),
        "Choose a word that both texts have.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(texts: &[&str]) -> Vec<PromptToken> {
        let mut end = 0;
        let token = |text: &&str| {
            let span = end..end + text.len();
            end = span.end;
            PromptToken { id: 0, text: (*text).into(), span }
        };
        texts.iter().map(token).collect()
    }

    #[test]
    fn a_word_is_found_at_its_last_token_of_its_last_place() {
        let text = tokens(&["The", " bank", " is", " no", " Bank", "er", " b", "ank", "."]);
        assert_eq!(place_of(&text, "bank"), Some(7));
        assert_eq!(place_of(&text, " Banker "), Some(5));
        assert_eq!(place_of(&text, "ban"), None, "a part of a word is none");
        assert_eq!(place_of(&text[..6], "bank"), Some(1), "nor is the beginning of one");
        assert_eq!(place_of(&text, "the"), Some(0));
        assert_eq!((place_of(&text, "river"), place_of(&text, " ")), (None, None));
    }

    #[test]
    fn the_nearest_come_first() {
        assert_eq!(nearest(&[0.1, 0.9, -1.0], NEAREST), [(1, 0.9), (0, 0.1), (2, -1.0)]);
        assert_eq!(nearest(&[0.0, 0.2, 0.4, 0.1, 0.5, 0.3, 0.6], NEAREST).first(), Some(&(6, 0.6)));
        assert_eq!(nearest(&[0.5; 9], NEAREST).len(), NEAREST);
    }
}
