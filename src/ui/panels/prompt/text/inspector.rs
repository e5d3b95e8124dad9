//! The right column: one generated token and what else it might have been.

use super::Wish;
use super::output::Output;
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, candidate_bars, caption, figure, visible_text};
use egui::{RichText, Ui};

/// Gives what the person wants to go on from.
pub(super) fn show(output: &Output, ui: &mut Ui, cx: &Cx<'_>) -> Option<Wish> {
    let theme = ui.theme();
    let shown = output.shown.as_ref();
    let focus = output.focus().and_then(|i| shown?.token(cx.state, i).cloned().map(|t| (i, t)));
    let Some((index, token)) = focus else {
        ui.add_space(space::S);
        let words = if shown.is_some() {
            "Hover over a token of the output, or click one to keep it here."
        } else {
            "Run the prompt; then this tells how sure the model was of each token, and what else it might have said."
        };
        caption(ui, words);
        return None;
    };
    ui.add_space(space::XS);
    ui.label(RichText::new(visible_text(token.name())).font(Type::Figure.mono()).color(theme.body()));
    ui.add_space(space::S);
    let probability = token.logprob.exp();
    let rank = token.top.iter().position(|c| c.id == token.id);
    widgets::row(ui, 2, |columns| {
        figure(&mut columns[0], &widgets::percent(probability), "", "probability");
        let rank = rank.map_or_else(|| format!("> {}", token.top.len()), |r| (r + 1).to_string());
        figure(&mut columns[1], &rank, "", "rank");
    });
    widgets::row(ui, 2, |columns| {
        figure(&mut columns[0], &format!("{:.2}", -token.logprob), "nats", "surprise, −log p");
        figure(&mut columns[1], &token.id.to_string(), "", "token id");
    });
    ui.add_space(space::M);
    let title = format!("What might have stood at position {index}");
    ui.label(RichText::new(title).font(Type::Body.bold()).color(theme.body()));
    let chosen = candidate_bars(ui, &token.top, token.id, true);
    caption(ui, "Click an alternative to go on from it.");
    chosen.map(|alternative| Wish::Branch(index, alternative))
}
