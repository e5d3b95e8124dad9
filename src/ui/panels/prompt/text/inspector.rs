//! The right column: one generated token and what else it might have been.

use super::Wish;
use super::output::Output;
use crate::types::GeneratedToken;
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, Distribution, caption, figure, token_bars, visible_text};
use egui::{Id, RichText, Ui};

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
    let rank = token.rank_of(token.id);
    widgets::row(ui, 2, |columns| {
        figure(&mut columns[0], &widgets::percent(probability), "", "probability");
        let rank = rank.map_or_else(|| format!("> {}", token.top.len()), |rank| rank.to_string());
        figure(&mut columns[1], &rank, "", "rank");
    });
    widgets::row(ui, 2, |columns| {
        figure(&mut columns[0], &format!("{:.2}", -token.logprob), "nats", "surprise, −log p");
        figure(&mut columns[1], &token.id.to_string(), "", "token id");
    });
    ui.add_space(space::M);
    let title = format!("What might have stood at position {index}");
    ui.label(RichText::new(title).font(Type::Body.bold()).color(theme.body()));
    let of = distribution(ui, &token);
    let chosen = token_bars(ui, &token, of, true);
    let words = match of {
        _ if token.drawn.is_empty() => "Under the model, at temperature 1.",
        Distribution::Model => "Under the model, at temperature 1. What is hatched could not be drawn.",
        Distribution::Drawn => "After bias, penalties, temperature and cuts. What is hatched was cut.",
    };
    caption(ui, words);
    caption(ui, "Click an alternative to go on from it.");
    chosen.map(|alternative| Wish::Branch(index, alternative))
}

/// Of which distribution the bars are to be: a choice where there are two.
fn distribution(ui: &mut Ui, token: &GeneratedToken) -> Distribution {
    if token.drawn.is_empty() {
        return Distribution::Model;
    }
    let id = Id::unique("distribution of the bars");
    let mut of = ui.data(|data| data.get_temp(id)).unwrap_or_default();
    let choices = [(Distribution::Model, "Before cuts"), (Distribution::Drawn, "As drawn")];
    if widgets::segmented(ui, &mut of, &choices) {
        ui.data_mut(|data| data.insert_temp(id, of));
    }
    of
}
