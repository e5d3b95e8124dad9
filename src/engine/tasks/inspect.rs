//! One uncached forward pass that captures what was asked for, or finds where values stop being numbers.

use super::edits::Anatomy;
use super::store::Body;
use super::{Step, Task, TaskContext, picture, prompt};
use crate::engine::{InspectSpec, Outcome, PromptInput};
use crate::load::{EncoderModel, TextModel, VisionModel};
use crate::nn::{EncoderBatch, Hooks};
use crate::types::{
    Ability, BrokenReport, InspectReport, ModelId, ModelInfo, PictureReport, PromptToken, Site, SiteFilter, UserError,
};
use std::sync::Arc;

/// Captured values may take this much; attention patterns grow with the square of the tokens.
const BUDGET_BYTES: usize = 512 << 20;

/// Captures sites over a whole sequence.
pub(crate) struct Inspect(Looking);

impl Inspect {
    /// To capture sites while `model` reads a prompt.
    pub(crate) fn new(model: ModelId, spec: InspectSpec) -> Self {
        Self(Looking::new(model, spec))
    }
}

impl Task for Inspect {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let mut room = None;
        let pass = self.0.pass(cx, &mut |looking, anatomy, tokens| {
            let room = room.insert(Room::of(&looking.spec.sites, anatomy, tokens)?);
            Ok(Hooks::off().recording(room.fitting.iter().copied().collect(), Some(BUDGET_BYTES)))
        })?;
        let (Some(pass), Some(room)) = (pass, room) else { return Ok(Step::More) };
        let (captures, left_out) = pass.hooks.into_captures();
        let left_out = [room.left_out(), left_out].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let left_out = (!left_out.is_empty()).then_some(left_out);
        let report = InspectReport { tokens: pass.tokens, captures, picture: pass.picture, left_out };
        Ok(Step::Done(Outcome::Inspected(Arc::new(report))))
    }
}

/// Finds where values stop being numbers.
pub(crate) struct FindBroken(Looking);

impl FindBroken {
    /// To look at every site while `model` reads a prompt.
    pub(crate) fn new(model: ModelId, spec: InspectSpec) -> Self {
        Self(Looking::new(model, spec))
    }
}

impl Task for FindBroken {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let pass = self.0.pass(cx, &mut |_, _, _| Ok(Hooks::off().looking_for_broken()))?;
        Ok(pass.map_or(Step::More, |pass| {
            Step::Done(Outcome::BrokenFound(Arc::new(BrokenReport { site: pass.hooks.first_broken() })))
        }))
    }
}

/// A model that reads what it is asked to, whatever kind it is of.
struct Looking {
    model: ModelId,
    spec: InspectSpec,
    reading: prompt::Reading,
}

/// A pass that was made.
struct Pass {
    tokens: Vec<PromptToken>,
    hooks: Hooks,
    picture: Option<PictureReport>,
}

/// Makes the hooks of a pass over so many tokens, without the edits.
type MakeHooks<'a> = &'a mut dyn FnMut(&Looking, &Anatomy<'_>, usize) -> Result<Hooks, UserError>;

impl Looking {
    fn new(model: ModelId, spec: InspectSpec) -> Self {
        Self { model, spec, reading: prompt::Reading::default() }
    }

    /// Nothing while the prompt is not read.
    fn pass(&mut self, cx: &TaskContext<'_>, hooks: MakeHooks<'_>) -> Result<Option<Pass>, UserError> {
        match cx.models.body(self.model)? {
            Body::Text(model) => self.text(model, hooks),
            Body::Encoder(model) => self.encoder(model, hooks).map(Some),
            Body::Vision(model) => self.vision(model, hooks).map(Some),
        }
    }

    fn text(&mut self, model: &TextModel, hooks: MakeHooks<'_>) -> Result<Option<Pass>, UserError> {
        let Some(tokens) = self.reading.read(model, &self.spec.prompt)? else { return Ok(None) };
        let mut hooks = self.hooks(&self.anatomy(Anatomy::of(model))?, tokens.len(), hooks)?;
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        model.lm.trace(model.lm.ids(&ids), &mut hooks);
        Ok(Some(Pass { tokens, hooks, picture: None }))
    }

    fn encoder(&self, model: &EncoderModel, hooks: MakeHooks<'_>) -> Result<Pass, UserError> {
        let anatomy = self.anatomy(Anatomy::of_encoder(model))?;
        let tokens = prompt::read_encoder(model, &self.spec.prompt)?;
        let mut hooks = self.hooks(&anatomy, tokens.len(), hooks)?;
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        model.encoder.trace(&EncoderBatch::one(&ids), &mut hooks);
        Ok(Pass { tokens, hooks, picture: None })
    }

    fn vision(&self, model: &VisionModel, hooks: MakeHooks<'_>) -> Result<Pass, UserError> {
        let PromptInput::Picture(picture) = &self.spec.prompt else { return Err(no_picture(&model.info.name)) };
        let tokens = picture::tokens(model);
        let anatomy = self.anatomy(Anatomy::of_vision(model))?;
        let mut hooks = self.hooks(&anatomy, tokens.len(), hooks)?;
        let seen = picture::look_at(model, picture, &mut hooks)?;
        Ok(Pass { tokens, hooks, picture: Some(seen) })
    }

    /// What the model has, once it is sure to have what is asked for.
    fn anatomy<'a>(&self, has: Anatomy<'a>) -> Result<Anatomy<'a>, UserError> {
        let (info, sites) = (has.info, &has.sites);
        let anywhere: Vec<_> = Site::all(info.shape.layers()).collect();
        if let Some(pattern) = self.spec.sites.without_match(&anywhere) {
            return Err(no_such_site(pattern, info));
        }
        // The sites looked at unless told otherwise include logits, which an encoder without a head has not.
        let is_lenient = !info.can(Ability::Continue) && !self.spec.sites.choose(sites).is_empty();
        match self.spec.sites.without_match(sites) {
            Some(pattern) if !is_lenient => Err(site_of_others(pattern, info)),
            _ => Ok(has),
        }
    }

    fn hooks(&self, anatomy: &Anatomy<'_>, tokens: usize, make: MakeHooks<'_>) -> Result<Hooks, UserError> {
        Ok(make(self, anatomy, tokens)?.editing(anatomy.place(&self.spec.edits, tokens)?))
    }
}

/// What can be kept of the chosen sites, known before anything is computed: a site that is too large by itself is not asked
/// for, so that nobody waits for values that are then thrown away.
#[derive(Debug)]
struct Room {
    fitting: Vec<Site>,
    too_large: Vec<Site>,
}

impl Room {
    /// # Errors
    /// When there are chosen sites and not one of them fits.
    fn of(chosen: &SiteFilter, anatomy: &Anatomy<'_>, tokens: usize) -> Result<Self, UserError> {
        let set = chosen.choose(&anatomy.sites);
        let chosen = anatomy.sites.iter().copied().filter(|site| set.contains(*site));
        let (fitting, too_large) = chosen.partition(|site| least_bytes(*site, anatomy.info, tokens) <= BUDGET_BYTES);
        let room = Self { fitting, too_large };
        match room.too_large.first() {
            Some(site) if room.fitting.is_empty() => Err(nothing_fits(*site, &room.too_large, anatomy.info, tokens)),
            _ => Ok(room),
        }
    }

    fn left_out(&self) -> Option<String> {
        let (first, last) = (self.too_large.first()?, self.too_large.last()?);
        let range = if self.too_large.len() == 1 { first.to_string() } else { format!("{first} to {last}") };
        let (count, budget) = (self.too_large.len(), BUDGET_BYTES >> 20);
        Some(format!(
            "{count} chosen sites need more than {budget} MiB each and were left out ({range}). Choose a shorter prompt."
        ))
    }
}

/// Bytes that a site takes at least. What grows with the tokens alone fits wherever the model does.
fn least_bytes(site: Site, info: &ModelInfo, tokens: usize) -> usize {
    let row = match site {
        Site::Scores(_) | Site::Pattern(_) => {
            info.shape.blocks().map_or(0, |blocks| blocks.heads).saturating_mul(tokens)
        }
        Site::Logits => info.shape.vocabulary().unwrap_or(0),
        _ => 0,
    };
    row.saturating_mul(tokens).saturating_mul(size_of::<f32>())
}

fn nothing_fits(site: Site, sites: &[Site], info: &ModelInfo, tokens: usize) -> UserError {
    // Sizes grow with the tokens, so the longest prompt that fits can be halved towards.
    let (mut fits, mut too_long) = (0, tokens);
    while too_long - fits > 1 {
        let middle = fits.midpoint(too_long);
        let any = sites.iter().any(|site| least_bytes(*site, info, middle) <= BUDGET_BYTES);
        *(if any { &mut fits } else { &mut too_long }) = middle;
    }
    let (bytes, budget) = (least_bytes(site, info, tokens) >> 20, BUDGET_BYTES >> 20);
    UserError::new(
        format!("The values at {site} are too many to keep: {bytes} MiB for {tokens} tokens."),
        format!("At most {budget} MiB are kept, and nothing else was chosen that would fit."),
        format!("Shorten the prompt to at most {fits} tokens, or choose sites such as blocks.*.resid_post."),
    )
}

pub(super) fn no_such_site(pattern: &str, info: &ModelInfo) -> UserError {
    let (name, layers) = (&info.name, info.shape.layers());
    UserError::new(
        format!("No site of {name} is called {pattern}."),
        format!(
            "Its blocks run from 0 to {}, and a site is written like blocks.0.attn.pattern.",
            layers.saturating_sub(1)
        ),
        "Use a name such as embed, blocks.*.attn.pattern, blocks.0.mlp.post, ln_final or logits; * stands for any text.",
    )
}

pub(super) fn site_of_others(pattern: &str, info: &ModelInfo) -> UserError {
    if let Some(layers) = info.shape.without_attention() {
        return UserError::new(
            format!("{} has no site {pattern}.", info.name),
            format!(
                "It is no transformer ({}) and has no attention: what can be read and changed in it are embed, the output of its {} \
                 layers (blocks.N.resid_post) and logits.",
                info.architecture.family(),
                layers.layers
            ),
            "Use one of these, or * to capture whatever sites there are; for gates and cells of an LSTM use `fovea states`.",
        );
    }
    UserError::new(
        format!("{} has no site {pattern}.", info.name),
        format!(
            "Other architectures have it, {} does not: pos_embed needs learned positions, rotary needs rotary ones, resid_mid needs an MLP that reads \
             what attention made of the stream, attn.proj and mlp.proj need a normalisation behind them, logits need a head, \
             pooled needs a pooler, and token_type_embed is BERT's.",
            info.architecture.config_name()
        ),
        "Leave it out, or use * to capture whatever sites there are.",
    )
}

pub(super) fn no_picture(name: &str) -> UserError {
    UserError::new(
        format!("{name} reads pictures, not text."),
        "It is a vision transformer: its tokens are the patches of a picture.",
        "Give it a PNG, JPEG or WebP: `fovea inspect --image FILE`, or Open picture in the Attention panel.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Architecture, Blocks, Precision, Shape};

    fn info() -> ModelInfo {
        let blocks = Blocks { layers: 2, heads: 32, kv_heads: 8, hidden: 4096 };
        ModelInfo {
            id: ModelId::next(),
            name: "large".into(),
            path: "".into(),
            architecture: Architecture::Llama,
            precision: Precision::F16,
            parameters: 1,
            shape: Shape::Decoder { blocks: blocks.into(), vocabulary: 128_000, context: 1 << 17 },
            held_out: None,
            own_sampling: None,
            quantised: None,
            adapter: None,
            modified: false,
            trained_steps: 0,
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused_before_anything_is_computed() {
        let info = info();
        let anatomy =
            Anatomy::with(&info, vec![Site::ResidPost(0), Site::Pattern(0), Site::Pattern(1), Site::Logits], None);
        let of = |sites: &str, tokens| Room::of(&sites.parse().unwrap(), &anatomy, tokens);
        let error = of("blocks.*.attn.pattern,logits", 8192).unwrap_err();
        // 32 heads · 2048² · 4 bytes are the 512 MiB exactly.
        assert!(error.what.contains("blocks.0.attn.pattern") && error.next.contains("2048 tokens"), "{error}");
        let room = of("*", 8192).unwrap();
        assert_eq!((room.fitting.as_slice(), room.too_large.len()), (&[Site::ResidPost(0)][..], 3));
        assert!(room.left_out().unwrap().contains("blocks.0.attn.pattern to logits"));
        assert_eq!(of("blocks.0.attn.pattern", 2048).unwrap().left_out(), None);
        assert!(of("blocks.0.attn.pattern", 2049).is_err());
    }
}
