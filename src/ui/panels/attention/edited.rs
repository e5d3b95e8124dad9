//! The edits under which a model was read: a sentence over the stage with a switch, and ways to make one of a head.

use super::{AttentionPanel, Shown};
use crate::engine::{InspectSpec, Work};
use crate::types::{Edit, EditChange, Picks, Site, SiteFilter};
use crate::ui::edits::{all_words, words};
use crate::ui::theme::space;
use crate::ui::widgets::{caption, ghost_button, segmented};
use crate::ui::{Cx, State};
use egui::Ui;
use lucide_icons::Icon;
use std::collections::BTreeSet;

/// How long edits must not change before the text is read again, in seconds.
const EDITS_S: f64 = 0.2;

impl AttentionPanel {
    /// Asks for patterns that were not asked for yet, or are no longer kept.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>) {
        if self.handed.is_some() {
            return;
        }
        let Some((question, model, prompt)) = self.question(cx) else { return };
        let edits = if self.unedited { Vec::new() } else { cx.edits.on() };
        let is_other = self.patterns.question().is_none_or(|(before, _)| *before != question);
        // A factor that is being dragged is not read at each of its values.
        let debounce_s = if is_other { 0.0 } else { EDITS_S };
        let before = self.patterns.job();
        self.patterns.follow((question, edits), debounce_s, cx, |(_, edits)| {
            let spec = InspectSpec { prompt, sites: SiteFilter::patterns(), edits: edits.clone() };
            (model, Work::Inspect(spec))
        });
        cx.wake_in(EDITS_S, self.patterns.is_due());
        if self.patterns.job() != before && is_other {
            cx.selection.token = None;
        }
    }
}

/// The edits under which the patterns on show were read.
pub(super) fn made_with(state: &State, shown: &Shown) -> Vec<Edit> {
    let spec = state.job(shown.job).map(|job| &*job.work);
    if let Some(Work::Inspect(spec)) = spec { spec.edits.clone() } else { Vec::new() }
}

/// The heads whose values edits changed when the patterns on show were read.
pub(super) fn heads(state: &State, shown: &Shown) -> BTreeSet<(usize, usize)> {
    let sites: Vec<Site> = (0..shown.layers).map(Site::Z).collect();
    let of_edit = |edit: &Edit| {
        let heads = edit.heads.among(shown.heads).ok().flatten().unwrap_or_else(|| (0..shown.heads).collect());
        let layers: Vec<usize> = edit.sites(&sites).into_iter().filter_map(Site::layer).collect();
        layers
            .into_iter()
            .flat_map(move |layer| heads.clone().into_iter().map(move |head| (layer, head)))
            .collect::<Vec<_>>()
    };
    made_with(state, shown).iter().flat_map(of_edit).collect()
}

/// What the stage is of, where there are edits; `is_handed` where another panel or a file chose what was read. `unedited` is the
/// switch.
pub(super) fn line(unedited: &mut bool, is_handed: bool, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown) {
    let made = made_with(cx.state, shown);
    let on = cx.edits.on();
    if made.is_empty() && on.is_empty() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        if !is_handed && !on.is_empty() {
            segmented(ui, unedited, &[(false, "Edited"), (true, "Unedited")]);
        }
        let words = if made.is_empty() {
            "Of the model as it is.".to_owned()
        } else {
            format!("Of the edited model: {}.", all_words(&made))
        };
        caption(ui, words);
        if is_handed && made != on && !made.is_empty() {
            let help = "Puts the edits under which this was read into the list, in the place of those that stand there; undo brings those back.";
            if ghost_button(ui, Some(Icon::ListRestart), "Take these edits over").on_hover_text(help).clicked() {
                cx.edits.take(made, cx.state.now_s);
            }
        }
    });
}

/// A change of one head, before the output projection.
fn of_head((layer, head): (usize, usize), change: EditChange) -> Edit {
    let heads = Picks::of([(head as i64, head as i64)]);
    let site = format!("blocks.{layer}.attn.z");
    Edit { site, heads, positions: Picks::default(), keys: Picks::default(), change }
}

/// Switches a head off.
pub(super) fn switch_off(place: (usize, usize), unedited: &mut bool, cx: &mut Cx<'_>) {
    *unedited = false;
    cx.edits.add(of_head(place, EditChange::Zero), cx.state.now_s);
}

/// What a right click on a head offers.
pub(super) fn head_menu(place: (usize, usize), ui: &mut Ui, cx: &mut Cx<'_>) {
    let all = Edit { heads: Picks::default(), ..of_head(place, EditChange::Zero) };
    let offered = [
        of_head(place, EditChange::Zero),
        of_head(place, EditChange::Mean),
        of_head(place, EditChange::Scale(0.5)),
        all,
    ];
    for edit in offered {
        if ui.button(format!("Add the edit: {}", words(&edit))).on_hover_text(edit.to_string()).clicked() {
            cx.edits.add(edit, cx.state.now_s);
            ui.close();
        }
    }
}
