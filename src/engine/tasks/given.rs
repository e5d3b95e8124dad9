//! What an edit takes from prompts beside the one that is changed: their values at a site, read once by the unedited model.

use super::prompt;
use crate::engine::PromptInput;
use crate::load::{EncoderModel, TextModel};
use crate::nn::{EncoderBatch, Hooks, SiteValue};
use crate::types::{Axis, Capture, Edit, PromptSet, Site, SiteSet, UserError};
use burn::tensor::Device;

/// Values of a prompt may take this much.
const BUDGET_BYTES: usize = 512 << 20;

/// A model that reads other prompts.
pub(super) trait ReadsOthers {
    /// The number of tokens of a text, and what it has at these sites.
    ///
    /// # Errors
    /// When the model cannot read it.
    fn capture(&self, text: &str, sites: SiteSet) -> Result<Given, UserError>;
    /// Where values are wanted.
    fn device(&self) -> Device;
}

/// The values of one prompt.
pub(super) struct Given {
    tokens: usize,
    captures: Vec<Capture>,
}

impl Given {
    fn of(tokens: usize, hooks: Hooks) -> Result<Self, UserError> {
        let (captures, left_out) = hooks.into_captures();
        match left_out {
            None => Ok(Self { tokens, captures }),
            Some(words) => {
                Err(UserError::new("The values of another prompt are too many to keep.", words, "Name fewer sites."))
            }
        }
    }

    fn at(&self, site: Site) -> &Capture {
        self.captures.iter().find(|capture| capture.site == site).expect("what was asked for is captured, or refused")
    }
}

impl ReadsOthers for TextModel {
    fn capture(&self, text: &str, sites: SiteSet) -> Result<Given, UserError> {
        let read = prompt::Reading::default().read(self, &PromptInput::Text(text.to_owned()))?;
        let ids: Vec<u32> = read.unwrap_or_default().iter().map(|token| token.id).collect();
        let mut hooks = Hooks::off().recording(sites, Some(BUDGET_BYTES));
        self.lm.trace(self.lm.ids(&ids), &mut hooks);
        Given::of(ids.len(), hooks)
    }

    fn device(&self) -> Device {
        self.lm.device()
    }
}

impl ReadsOthers for EncoderModel {
    fn capture(&self, text: &str, sites: SiteSet) -> Result<Given, UserError> {
        let read = prompt::read_encoder(self, &PromptInput::Text(text.to_owned()))?;
        let ids: Vec<u32> = read.iter().map(|token| token.id).collect();
        let mut hooks = Hooks::off().recording(sites, Some(BUDGET_BYTES));
        self.encoder.trace(&EncoderBatch::one(&ids), &mut hooks);
        Given::of(ids.len(), hooks)
    }

    fn device(&self) -> Device {
        self.encoder.device()
    }
}

/// Values with one axis over tokens: `outer` × tokens × `inner`.
struct Layout {
    axis: usize,
    outer: usize,
    inner: usize,
}

impl Layout {
    /// `None` where the values have no tokens.
    fn of(site: Site, shape: &[usize]) -> Option<Self> {
        let axes = &site.axes()[site.axes().len().saturating_sub(shape.len())..];
        let axis = axes.iter().position(|axis| *axis == Axis::Token)?;
        Some(Self { axis, outer: shape[..axis].iter().product(), inner: shape[axis + 1..].iter().product() })
    }

    /// The values of one token in one piece of `outer`.
    fn row<'a>(&self, values: &'a [f32], tokens: usize, outer: usize, token: usize) -> &'a [f32] {
        let start = (outer * tokens + token) * self.inner;
        &values[start..start + self.inner]
    }
}

/// The values of another prompt as they are set in a prompt of `tokens` tokens, and at which positions; `None` for all.
///
/// # Errors
/// When the two have not the same positions.
pub(super) fn from(
    edit: &Edit,
    site: Site,
    given: &Given,
    tokens: usize,
    device: &Device,
) -> Result<(SiteValue, Option<Vec<usize>>), UserError> {
    let Capture { shape, values, .. } = given.at(site);
    let Some(layout) = Layout::of(site, shape) else {
        return Ok((SiteValue::new(values.to_vec(), shape, device), None));
    };
    let has_keys = site.axes().contains(&Axis::Key);
    if given.tokens != tokens && (edit.positions.are_all() || has_keys) {
        return Err(other_length(edit, site, has_keys, given.tokens, tokens));
    }
    let missing = |number: String| not_in_both(edit, &number, given.tokens, tokens);
    let (theirs, ours) =
        (edit.positions.among(given.tokens).map_err(missing)?, edit.positions.among(tokens).map_err(missing)?);
    let (Some(theirs), Some(ours)) = (theirs, ours) else {
        // An axis of one token would stand for every position, those behind the prompt among them.
        let only = (tokens == 1).then(|| vec![0]);
        return Ok((SiteValue::new(values.to_vec(), shape, device), only));
    };
    if theirs.len() != ours.len() {
        return Err(not_in_both(edit, &edit.positions.to_string(), given.tokens, tokens));
    }
    let end = ours.last().map_or(0, |last| last + 1);
    let mut placed = vec![0.0; layout.outer * end * layout.inner];
    for outer in 0..layout.outer {
        for (theirs, ours) in theirs.iter().zip(&ours) {
            let start = (outer * end + ours) * layout.inner;
            let row = layout.row(values, given.tokens, outer, *theirs);
            placed[start..start + layout.inner].copy_from_slice(row);
        }
    }
    let mut shape = shape.clone();
    shape[layout.axis] = end;
    Ok((SiteValue::new(placed, &shape, device), Some(ours)))
}

/// The mean over all tokens of some prompts, for every position.
pub(super) fn mean(site: Site, given: &[Given], device: &Device) -> SiteValue {
    let mut shape = given.first().map(|given| given.at(site).shape.clone()).unwrap_or_default();
    let Some(Layout { axis, outer: pieces, inner }) = Layout::of(site, &shape) else {
        unreachable!("a mean is refused where there are no tokens")
    };
    let mut sums = vec![0.0f64; pieces * inner];
    for given in given {
        let (values, layout) = (&given.at(site).values, Layout { axis, outer: pieces, inner });
        for (outer, sums) in sums.chunks_exact_mut(inner).enumerate() {
            for token in 0..given.tokens {
                let row = layout.row(values, given.tokens, outer, token);
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
            }
        }
    }
    let count = given.iter().map(|given| given.tokens).sum::<usize>().max(1) as f64;
    shape[axis] = 1;
    SiteValue::new(sums.into_iter().map(|sum| (sum / count) as f32).collect(), &shape, device)
}

/// Reads what an edit takes from other prompts.
///
/// # Errors
/// When one of them cannot be read.
pub(super) fn read(edit: &Edit, sites: &[Site], model: Option<&dyn ReadsOthers>) -> Result<Vec<Given>, UserError> {
    let texts = match &edit.change {
        crate::types::EditChange::From(text) => std::slice::from_ref(text),
        crate::types::EditChange::MeanOver(PromptSet { texts, .. }) => texts,
        _ => return Ok(Vec::new()),
    };
    let Some(model) = model else {
        return Err(UserError::new(
            format!("The edit {edit} cannot be made."),
            "This model reads pictures, and the edit names a text.",
            "Use zero, mean or scale.",
        ));
    };
    let sites: SiteSet = sites.iter().copied().collect();
    texts.iter().map(|text| model.capture(text, sites.clone())).collect()
}

fn other_length(edit: &Edit, site: Site, has_keys: bool, theirs: usize, ours: usize) -> UserError {
    let next = if has_keys {
        format!("Name a prompt of {ours} tokens: at {site} every token has a value for every other.")
    } else {
        format!("Name a prompt of {ours} tokens, or positions that both have, such as @-1 for the last of each.")
    };
    UserError::new(
        format!("The edit {edit} cannot be made."),
        format!("Its prompt has {theirs} tokens, and the one that is read has {ours}."),
        next,
    )
}

fn not_in_both(edit: &Edit, number: &str, theirs: usize, ours: usize) -> UserError {
    UserError::new(
        format!("The edit {edit} cannot be made."),
        format!("Its prompt has {theirs} tokens and the one that is read {ours}: {number} is not the same in both."),
        "Name positions that both have; negative numbers count from the end of each.",
    )
}
