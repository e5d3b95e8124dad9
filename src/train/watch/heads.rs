//! The scores of a decoder's heads on random tokens said twice, by the definitions and the code of the atlas.

use crate::analysis::{AtlasScore, HeadAtlas, Order, Probe, Sequence, Surroundings};
use crate::load::Tokenizer;
use crate::nn::{CausalLm, Hooks};
use crate::types::{HeadValues, InspectReport, Site, SiteFilter};

/// Of the random tokens: what `fovea heads` draws unless told otherwise.
const SEED: u64 = 1;
/// Patterns take at most so many bytes; what is beyond is left out.
const BUDGET_BYTES: usize = 512 << 20;
/// What is noted.
const SCORES: [AtlasScore; 4] =
    [AtlasScore::Previous, AtlasScore::Duplicate, AtlasScore::InductionRepeats, AtlasScore::Sink];

/// The tokens that heads are scored on: the same at each snapshot. A network without attention has none.
pub(in crate::train) struct HeadProbe(Option<Probe>);

impl HeadProbe {
    /// For a model of a run.
    pub(in crate::train) fn new(tokenizer: &Tokenizer, lm: &CausalLm) -> Self {
        let around = tokenizer.encode("a").map(|tokens| Surroundings::of(&tokens)).unwrap_or_default();
        let attends = lm.sites().contains(&Site::Pattern(0));
        Self(Probe::new(lm.vocabulary(), lm.context(), &around, SEED).filter(|_| attends))
    }

    /// The scores of a network, nothing of which is changed beside its weights.
    pub(in crate::train) fn values(&self, lm: &CausalLm) -> Option<HeadValues> {
        let probe = self.0.as_ref()?;
        let sites = SiteFilter::patterns().choose(&lm.sites());
        let mut hooks = Hooks::off().recording(sites, Some(BUDGET_BYTES));
        lm.trace(lm.ids(&probe.ids), &mut hooks);
        let (captures, left_out) = hooks.into_captures();
        let report = InspectReport { tokens: Vec::new(), captures, picture: None, left_out };
        let atlas = HeadAtlas::of(&report, &Sequence::of_probe(probe, Order::LeftToRight), &|| true)?;
        let layers = atlas.heads.last()?.layer + 1;
        let values = |score: AtlasScore| {
            let mut by_layer = vec![Vec::new(); layers];
            for head in &atlas.heads {
                by_layer[head.layer].push(head.value(score).filter(|value| !value.is_nan()));
            }
            (score.id().to_owned(), by_layer)
        };
        Some(HeadValues { seed: probe.seed, half: probe.half, scores: SCORES.into_iter().map(values).collect() })
    }
}
