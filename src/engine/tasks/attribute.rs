//! What the score of a token, or of a class of a picture, is made of.

use super::edits::{Anatomy, fixed};
use super::inspect::no_picture;
use super::lens::first_token;
use super::{LoadedModel, Step, Task, TaskContext, picture, prompt};
use crate::engine::{AttributeSpec, Outcome, PromptInput};
use crate::load::{TextModel, VisionModel};
use crate::nn::{Passed, ScoredPass, SiteEdit, logits, scored};
use crate::types::{
    AddedPart, AttributionReport, Edit, LensTarget, ModelId, ModelInfo, PromptToken, RemovedPart, UserError,
};
use std::sync::Arc;

/// Takes a score apart.
pub(crate) struct Attribute {
    model: ModelId,
    spec: AttributeSpec,
    reading: prompt::Reading,
}

/// What is scored, and under which changes.
struct Asked<'a> {
    pass: ScoredPass<'a>,
    tokens: Vec<PromptToken>,
    edits: Vec<SiteEdit>,
    /// The same where a part is removed, too.
    removed: Option<(AddedPart, Vec<SiteEdit>)>,
    target: Option<LensTarget>,
    against: Option<LensTarget>,
}

impl Attribute {
    /// To take a score of `model` apart.
    pub(crate) fn new(model: ModelId, spec: AttributeSpec) -> Self {
        Self { model, spec, reading: prompt::Reading::default() }
    }

    /// Nothing while the prompt is not split into tokens.
    fn of_text(&mut self, model: &TextModel) -> Result<Option<AttributionReport>, UserError> {
        let Some(mut tokens) = self.reading.read(model, &self.spec.prompt)? else { return Ok(None) };
        let place = self.spec.position.unwrap_or(tokens.len() - 1);
        if place >= tokens.len() {
            return Err(UserError::new(
                format!("The prompt has no position {place}."),
                format!("It has {} tokens, counted from 0 to {}.", tokens.len(), tokens.len() - 1),
                "Choose a token of the prompt.",
            ));
        }
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let placed = |edits: &[Edit]| Ok(fixed(model, &ids, Anatomy::of(model).place(edits, tokens.len())?)) as Placed;
        let (edits, removed) = self.edits(&model.info, placed)?;
        // What comes later cannot change what is said here.
        tokens.truncate(place + 1);
        let named = |text: &Option<String>| first_token(&model.tokenizer, text.as_deref());
        let (target, against) = (named(&self.spec.target)?, named(&self.spec.against)?);
        let pass = ScoredPass::Tokens(&model.lm, &ids[..=place]);
        let asked = Asked { pass, tokens, edits, removed, target, against };
        asked.report(|id| model.tokenizer.token_text(id)).map(Some)
    }

    fn of_picture(&self, model: &VisionModel) -> Result<AttributionReport, UserError> {
        let PromptInput::Picture(picture) = &self.spec.prompt else { return Err(no_picture(&model.info.name)) };
        if model.vit.heads.is_empty() {
            return Err(no_classes(&model.info));
        }
        if self.spec.position.is_some() {
            return Err(UserError::new(
                "A picture is not scored at a position.",
                format!("{} tells its classes at the special token before all patches.", model.info.name),
                "Leave the position out.",
            ));
        }
        let mut tokens = picture::tokens(model);
        let anatomy = || Anatomy::of_vision(model);
        let placed = |edits: &[Edit]| anatomy().place(edits, tokens.len());
        let (edits, removed) = self.edits(&model.info, placed)?;
        tokens.truncate(model.vit.heads.len());
        let named = |text: &Option<String>| text.as_deref().map(|text| class(model, text)).transpose();
        let (target, against) = (named(&self.spec.target)?, named(&self.spec.against)?);
        let pass = ScoredPass::Picture(&model.vit, Box::new(picture::input(model, picture)?));
        Asked { pass, tokens, edits, removed, target, against }.report(|id| name(model, id))
    }

    /// The changes, and those with the part that is to be removed.
    fn edits(&self, info: &ModelInfo, place: impl Fn(&[Edit]) -> Placed) -> Result<Changes, UserError> {
        let Some(part) = self.spec.removed else { return Ok((place(&self.spec.edits)?, None)) };
        let removal = part.removal().ok_or_else(|| {
            UserError::new(
                format!("The {part} of {} cannot be removed.", info.name),
                "The score without a part is told of heads and MLPs, each of which can be switched off alone.",
                "Name a head, such as ‘head 3.2’, or an MLP, such as ‘MLP 3’.",
            )
        })?;
        let all: Vec<Edit> = self.spec.edits.iter().cloned().chain([removal]).collect();
        Ok((place(&self.spec.edits)?, Some((part, place(&all)?))))
    }
}

type Placed = Result<Vec<SiteEdit>, UserError>;
type Changes = (Vec<SiteEdit>, Option<(AddedPart, Vec<SiteEdit>)>);

impl Asked<'_> {
    fn report(self, name: impl Fn(u32) -> String) -> Result<AttributionReport, UserError> {
        let Self { pass, tokens, edits, removed, target, against } = self;
        let passed = Passed::new(pass.clone(), edits);
        let target = target.unwrap_or_else(|| {
            let likeliest = passed.logits.iter().enumerate().fold((0, f64::NEG_INFINITY), |best, (id, score)| {
                if *score > best.1 { (id as u32, *score) } else { best }
            });
            LensTarget { id: likeliest.0, text: name(likeliest.0), of: 1 }
        });
        if against.as_ref().is_some_and(|against| against.id == target.id) {
            return Err(UserError::new(
                format!("{:?} cannot be compared with itself.", target.text),
                "Both texts name the same, so their scores never differ.",
                "Name another one, or none: then the mean over all is taken off.",
            ));
        }
        let other = against.as_ref().map(|against| against.id);
        let removed = removed.map(|(part, edits)| {
            let found = scored(&pass, &logits(&pass, edits), target.id, other);
            RemovedPart { part, score: found.score, scores: found.scores }
        });
        let found = passed.attribute(target.id, other);
        Ok(AttributionReport {
            tokens,
            left_out: [target.of - 1, against.as_ref().map_or(0, |against| against.of - 1)],
            target: (target.id, target.text),
            against: against.map(|against| (against.id, against.text)),
            parts: found.parts,
            score: found.scored.score,
            scores: found.scored.scores,
            removed,
        })
    }
}

impl Task for Attribute {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let report = match cx.models.get(self.model) {
            Some(LoadedModel::Encoder(model)) => return Err(of_encoders(&model.info)),
            Some(LoadedModel::Vision(model)) => Some(self.of_picture(model)?),
            _ => self.of_text(cx.models.text(self.model)?)?,
        };
        Ok(report.map_or(Step::More, |report| Step::Done(Outcome::Attributed(Arc::new(report)))))
    }
}

fn name(model: &VisionModel, class: u32) -> String {
    model.labels.get(class as usize).cloned().unwrap_or_else(|| format!("class {class}"))
}

/// The class of this name or number.
fn class(model: &VisionModel, text: &str) -> Result<LensTarget, UserError> {
    let text = text.trim();
    let count = model.labels.len();
    let named = model.labels.iter().position(|label| label.eq_ignore_ascii_case(text));
    let counted = || text.parse().ok().filter(|class| *class < count);
    let Some(id) = named.or_else(counted) else {
        let some = model.labels.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
        return Err(UserError::new(
            format!("{} knows no class {text:?}.", model.info.name),
            format!("It knows {count}, such as {some}."),
            format!("Name one of them, or give its number, 0 to {}.", count.saturating_sub(1)),
        ));
    };
    let id = id as u32;
    Ok(LensTarget { id, text: name(model, id), of: 1 })
}

fn of_encoders(info: &ModelInfo) -> UserError {
    UserError::new(
        format!("The scores of {} cannot be taken apart.", info.name),
        "It normalises the stream after each addition, so what one part added is scaled anew by every later layer: no sum over \
         the parts is defined.",
        "Choose a model that writes. What a part of this one does is seen by changing it.",
    )
}

fn no_classes(info: &ModelInfo) -> UserError {
    UserError::new(
        format!("{} has no scores to take apart.", info.name),
        "Its file has no head that tells classes.",
        "Choose a model that classifies pictures, or one that writes.",
    )
}
