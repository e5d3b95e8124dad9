//! What is followed, swapped and shuffled: the tokens to click on, and the seed.

use super::{OrderView, words};
use crate::analysis::Order;
use crate::engine::WordOrderSpec;
use crate::types::{PromptToken, Reordering};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{Chip, caption, explain, secondary_button, segmented, token_strip};
use crate::ui::{Cx, Themed};
use egui::{Color32, DragValue, RichText, ScrollArea, Ui};
use lucide_icons::Icon;

/// Height of the tokens.
const STRIP: f32 = 78.0;

const CLICK_HELP: &str = "‘Follow’ chooses the token whose vector is compared layer by layer. ‘Swap one’ and ‘Swap other’ choose the two \
     that are told each other's positions; they have a line under them.";
const SEED_HELP: &str = "What the order of the words is drawn from: the same seed gives the same order.";

/// What a click on a token chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Picks {
    #[default]
    Followed,
    One,
    Other,
}

pub(super) fn show(
    view: &mut OrderView,
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    tokens: &[PromptToken],
    spec: &WordOrderSpec,
    order: Order,
) {
    ui.horizontal_wrapped(|ui| {
        explain(ui, "Click to", CLICK_HELP);
        let ways = [(Picks::Followed, "Follow"), (Picks::One, "Swap one"), (Picks::Other, "Swap other")];
        ui.scope(|ui| segmented(ui, &mut view.picks, &ways)).response.on_hover_text(CLICK_HELP);
        ui.add_space(space::S);
        let name = caption(ui, "Seed");
        let field = DragValue::new(&mut view.kept.seed).range(0..=u64::from(u32::MAX)).speed(0.1);
        ui.add(field).labelled_by(name.id).on_hover_text(SEED_HELP);
        if secondary_button(ui, Some(Icon::Shuffle), "Shuffle again")
            .on_hover_text(words::meaning(Reordering::Shuffled, None, order))
            .clicked()
        {
            view.kept.seed = (view.kept.seed + 1) % (1 << 32);
        }
    });
    let theme = ui.theme();
    let swapped = super::colour(theme, Reordering::Swapped);
    let chip = |index: usize| Chip {
        text: &tokens[index].text,
        fill: Color32::TRANSPARENT,
        selected: index == spec.token,
        underline: spec.swap.is_some_and(|swap| swap.contains(&index)).then_some(swapped),
    };
    let tooltip = |ui: &mut Ui, index: usize| {
        let mut told = vec![format!("position {index}")];
        if index == spec.token {
            told.push("followed".to_owned());
        }
        if spec.swap.is_some_and(|swap| swap.contains(&index)) {
            told.push("swapped".to_owned());
        }
        caption(ui, told.join(" · "));
    };
    let clicked = ScrollArea::vertical()
        .id_salt("tokens in order")
        .max_height(STRIP)
        .auto_shrink([false, true])
        .show(ui, |ui| token_strip(ui, "Tokens to follow and to swap", tokens.len(), chip, tooltip).clicked)
        .inner;
    let with_id = |at: usize| (at, tokens[at].id);
    match (clicked, view.picks, spec.swap) {
        (Some(token), Picks::Followed, _) => cx.selection.token = Some(token),
        (Some(token), Picks::One, Some([_, other])) => view.kept.swap = Some([token, other].map(with_id)),
        (Some(token), Picks::Other, Some([one, _])) => view.kept.swap = Some([one, token].map(with_id)),
        (Some(_), _, None) | (None, ..) => {}
    }
    if spec.swap.is_none() {
        let words = "A single token has no other to be swapped with.";
        ui.label(RichText::new(words).font(Type::Caption.sans()).color(theme.caption()));
    }
}
