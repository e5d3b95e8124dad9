//! From edits as a person writes them to changes of one model's pass over one prompt.

use super::given::{self, Given, ReadsOthers};
use super::inspect::{no_such_site, site_of_others};
use crate::load::{EncoderModel, TextModel, VisionModel};
use crate::nn::{Change, Hooks, SiteEdit};
use crate::types::{Ability, Axis, Edit, EditChange, ModelInfo, Picks, Site, UserError};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// What edits are placed in.
pub(super) struct Anatomy<'a> {
    /// The model.
    pub info: &'a ModelInfo,
    /// The sites it has.
    pub sites: Vec<Site>,
    /// To read the other prompts that edits name.
    others: Option<&'a dyn ReadsOthers>,
    /// What was read of those, by the edit's line: edits are placed in many prompts.
    read: RefCell<HashMap<String, Rc<Vec<Given>>>>,
}

impl<'a> Anatomy<'a> {
    /// Of a model with these sites, which reads other prompts or does not.
    pub(super) fn with(info: &'a ModelInfo, sites: Vec<Site>, others: Option<&'a dyn ReadsOthers>) -> Self {
        Self { info, sites, others, read: RefCell::default() }
    }

    /// Of a causal model.
    pub(super) fn of(model: &'a TextModel) -> Self {
        let mut sites = model.lm.sites();
        // The body of a classifier gives no scores of tokens.
        if !model.info.can(Ability::Continue) {
            sites.retain(|site| *site != Site::Logits);
        }
        Self::with(&model.info, sites, Some(model))
    }

    /// Of an encoder.
    pub(super) fn of_encoder(model: &'a EncoderModel) -> Self {
        Self::with(&model.info, model.encoder.sites(), Some(model))
    }

    /// Of a vision transformer.
    pub(super) fn of_vision(model: &'a VisionModel) -> Self {
        Self::with(&model.info, model.vit.sites(), None)
    }

    /// The changes that edits mean for a prompt of so many tokens, in their order.
    ///
    /// # Errors
    /// When an edit names a site, head or position that is not there, or makes no sense at its site.
    pub(super) fn place(&self, edits: &[Edit], tokens: usize) -> Result<Vec<SiteEdit>, UserError> {
        let mut placed = Vec::new();
        for edit in edits {
            let sites = edit.sites(&self.sites);
            if sites.is_empty() {
                let anywhere = !edit.sites(&Site::all(self.info.shape.layers()).collect::<Vec<_>>()).is_empty();
                let unknown = if anywhere { site_of_others } else { no_such_site };
                return Err(unknown(&edit.site, self.info));
            }
            for site in &sites {
                edit.check_at(*site)?;
            }
            let given = self.given(edit, &sites)?;
            for site in sites {
                placed.push(self.at(edit, site, tokens, &given)?);
            }
        }
        Ok(placed)
    }

    /// What is wrong with edits, each by itself, whatever is read: nothing where one can be made in a prompt that is long enough.
    /// Other prompts are not read.
    pub(super) fn faults(&self, edits: &[Edit], tokens: usize) -> Vec<Option<UserError>> {
        let fault = |edit: &Edit| {
            let set = Edit { change: EditChange::Zero, ..edit.clone() };
            // What comes of other prompts can be made where zero can, but for what the site says of the change.
            let placed = match edit.change {
                EditChange::From(_) | EditChange::MeanOver(_) => edit
                    .sites(&self.sites)
                    .into_iter()
                    .try_for_each(|site| edit.check_at(site))
                    .and_then(|()| self.place(&[set], tokens)),
                _ => self.place(std::slice::from_ref(edit), tokens),
            };
            placed.err()
        };
        edits.iter().map(fault).collect()
    }

    fn given(&self, edit: &Edit, sites: &[Site]) -> Result<Rc<Vec<Given>>, UserError> {
        let line = edit.to_string();
        if let Some(given) = self.read.borrow().get(&line) {
            return Ok(Rc::clone(given));
        }
        let given = Rc::new(given::read(edit, sites, self.others)?);
        self.read.borrow_mut().insert(line, Rc::clone(&given));
        Ok(given)
    }

    fn at(&self, edit: &Edit, site: Site, tokens: usize, given: &[Given]) -> Result<SiteEdit, UserError> {
        let of_picture = self.info.can(Ability::SeePictures) && site == Site::Logits;
        if of_picture && !(edit.positions.are_all() && edit.change != EditChange::Mean) {
            return Err(UserError::new(
                format!("The edit {edit} cannot be made."),
                format!("The scores of {} are of the whole picture and have no positions.", self.info.name),
                "Leave out @ and what follows it, or edit another site.",
            ));
        }
        let is_kv = site.axes().contains(&Axis::KvHead);
        // A site of heads is one of blocks; elsewhere no head can be named.
        let heads = self.info.shape.blocks().map_or(0, |blocks| if is_kv { blocks.kv_heads } else { blocks.heads });
        let position = |picks: &Picks| picks.among(tokens).map_err(|number| no_position(edit, &number, tokens));
        let mut positions = position(&edit.positions)?;
        let change = match &edit.change {
            EditChange::Zero => Change::Zero,
            EditChange::Mean => Change::Mean,
            EditChange::MeanOver(_) => Change::Set(Box::new(given::mean(site, given, &self.device()))),
            EditChange::From(_) => {
                let given = given.first().expect("one prompt was read");
                let (value, at) = given::from(edit, site, given, tokens, &self.device())?;
                positions = at;
                Change::Set(Box::new(value))
            }
            EditChange::Scale(factor) => Change::Scale(*factor),
            EditChange::Hide => Change::Lowest,
            EditChange::Skip if self.info.architecture.normalises_after_adding() => {
                return Err(normalised(edit, self.info));
            }
            EditChange::Skip => Change::Zero,
            EditChange::Swap => match positions.take().as_deref() {
                Some([a, b]) => Change::Swap(*a, *b),
                _ => return Err(same_position(edit, tokens)),
            },
        };
        Ok(SiteEdit {
            site,
            heads: edit.heads.among(heads).map_err(|number| self.no_head(edit, &number, site, heads))?,
            positions,
            keys: position(&edit.keys)?,
            sequence: None,
            change,
        })
    }

    /// Where values of other prompts are wanted.
    fn device(&self) -> burn::tensor::Device {
        self.others.map_or_else(Default::default, ReadsOthers::device)
    }

    fn no_head(&self, edit: &Edit, number: &str, site: Site, heads: usize) -> UserError {
        let kind = if site.axes().contains(&Axis::KvHead) { "key-value heads" } else { "heads" };
        UserError::new(
            format!("{} has no head {number} at {site}.", self.info.name),
            format!("There it has {heads} {kind}, counted from 0 to {}.", heads.saturating_sub(1)),
            format!("Name heads in that range in {edit}."),
        )
    }
}

fn no_position(edit: &Edit, number: &str, tokens: usize) -> UserError {
    UserError::new(
        format!("The prompt has no position {number}."),
        format!(
            "It has {tokens} tokens, counted from 0 to {}, or from the end from -1 to -{tokens}; a range names its first \
             position first.",
            tokens.saturating_sub(1)
        ),
        format!("Name positions in that range in {edit}."),
    )
}

fn normalised(edit: &Edit, info: &ModelInfo) -> UserError {
    UserError::new(
        format!("The edit {edit} cannot be made."),
        format!(
            "{} normalises the stream after each addition, so a block of {} that adds nothing still changes it: no skipped \
             block is the same as none.",
            info.architecture.family(),
            info.name
        ),
        "Set attn_out or mlp_out of the block to zero, and read the result as that.",
    )
}

fn same_position(edit: &Edit, tokens: usize) -> UserError {
    UserError::new(
        format!("The edit {edit} cannot be made."),
        format!("Of the {tokens} tokens of the prompt, both its numbers name the same one."),
        "Name two positions; negative numbers count from the end.",
    )
}

/// The edits of a prompt for passes over parts of it and over what follows: means are taken in one pass over the whole
/// prompt, in which the other edits hold too.
pub(super) fn fixed(model: &TextModel, prompt: &[u32], edits: Vec<SiteEdit>) -> Vec<SiteEdit> {
    if !edits.iter().any(|edit| matches!(edit.change, Change::Mean)) {
        return edits;
    }
    let mut hooks = Hooks::off().editing(edits);
    model.lm.trace(model.lm.ids(prompt), &mut hooks);
    hooks.fixed_edits()
}
