//! The stage: what the model receives above, what it wrote below.

use super::{PromptPanel, Shown};
use crate::types::{Ability, GeneratedToken, StopReason};
use crate::ui::Themed;
use crate::ui::theme::{RADIUS, Theme, Type, mix, space};
use crate::ui::widgets::{self, Chip, candidate_bars, caption, empty_state, error_card, token_strip, visible_text};
use crate::ui::{Cx, Run};
use egui::{Color32, Frame, Margin, RichText, ScrollArea, Ui};
use lucide_icons::Icon;

/// Probability at which the colour is at its strongest.
const FLOOR: f32 = 0.001;

pub(super) fn stage(panel: &mut PromptPanel, ui: &mut Ui, cx: &mut Cx<'_>) {
    Frame::new().inner_margin(Margin::symmetric(space::XL as i8, space::L as i8)).show(ui, |ui| {
        problems(panel, ui, cx);
        prompt_card(panel, ui, cx);
        ui.add_space(space::M);
        output_card(panel, ui, cx);
    });
}

/// Errors of this panel's jobs, beside them.
pub(super) fn problems(panel: &PromptPanel, ui: &mut Ui, cx: &mut Cx<'_>) {
    if let Some(job) = cx.state.opening().map(|j| j.id) {
        widgets::job_progress(ui, cx, job);
        ui.add_space(space::S);
    }
    let no_model = cx.state.active(Ability::Continue).is_none();
    let opening = cx.state.latest_opening();
    let failed_opening = opening.and_then(|j| cx.state.error(j.id));
    let failed_run = panel.shown.as_ref().and_then(|s| cx.state.error(s.job));
    for error in [failed_opening, failed_run].into_iter().flatten() {
        error_card(ui, error);
        ui.add_space(space::S);
    }
    if no_model && opening.is_none_or(|j| !j.is_active()) && failed_opening.is_none() {
        caption(ui, "No text model is open. Choose one in the top bar, or drop a model folder on the window.");
        ui.add_space(space::S);
    }
}

/// Height that a wrapped legend, the output with its heading and figures, and its legend need at least.
const BELOW_PROMPT: f32 = 360.0;

pub(super) fn card(theme: &Theme) -> Frame {
    Frame::new()
        .fill(theme.surface())
        .stroke(egui::Stroke::new(1.0, theme.grid()))
        .corner_radius(RADIUS)
        .inner_margin(space::M)
}

fn prompt_card(panel: &mut PromptPanel, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    let count = panel.preview.tokens(cx.state).map(<[_]>::len);
    let context = cx.state.active(Ability::Continue).and_then(|m| m.info.shape.context());
    let (words, too_long) = match (count, context) {
        (Some(n), Some(c)) => (format!("{n} of {c} tokens"), n > c),
        _ => (format!("{} characters", panel.preview.rendered.text.chars().count()), false),
    };
    widgets::stage_header(ui, "What the model receives", "", |ui| {
        if widgets::icon_button(ui, Icon::Copy, "Copy prompt").clicked() {
            ui.ctx().copy_text(panel.preview.rendered.text.clone());
            cx.toast("Copied the prompt");
        }
        let ink = if too_long { theme.danger() } else { theme.caption() };
        ui.label(RichText::new(words).font(Type::Caption.mono()).color(ink));
        if too_long {
            ui.label(RichText::new("Longer than the context.").font(Type::Caption.sans()).color(theme.danger()));
        }
    });
    let room = ui.available_height();
    let most = (room * 0.36).min(room - BELOW_PROMPT).max(90.0);
    card(theme).show(ui, |ui| {
        ui.set_width(ui.available_width());
        // The query is at the end, and the end is what the model goes on from.
        let strip = ScrollArea::vertical().id_salt("prompt strip").max_height(most).auto_shrink([false, true]);
        strip.stick_to_bottom(true).show(ui, |ui| {
            if panel.preview.rendered.text.is_empty() {
                caption(ui, "Empty. Type a query at the left.");
            } else {
                panel.preview.show(ui, cx);
            }
        });
    });
    panel.preview.legend(ui);
}

fn output_card(panel: &mut PromptPanel, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    let shown = panel.shown.clone();
    let text: String = shown.iter().flat_map(|s| s.tokens(cx.state)).map(|t| t.text.as_str()).collect();
    let wide = ui.available_width() > 560.0;
    widgets::stage_header(ui, "Output", "", |ui| {
        if !text.is_empty() && widgets::icon_button(ui, Icon::Copy, "Copy output").clicked() {
            ui.ctx().copy_text(text.clone());
            cx.toast("Copied the output");
        }
        if let Some(shown) = shown.as_ref().filter(|_| wide) {
            figures(ui, cx, shown);
        }
    });
    if let Some(shown) = shown.as_ref().filter(|_| !wide) {
        // Beside the heading there is no room for the figures.
        ui.horizontal_wrapped(|ui| figures(ui, cx, shown));
    }
    let rest = ui.available_height() - 44.0;
    let mut run = false;
    card(theme).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.set_min_height((rest - 2.0 * space::M).max(80.0));
        match &shown {
            None => {
                let title = "See what the model makes of it";
                let words = "Each token it writes is coloured by how likely it was. Hover over one to see what else it \
                             might have said; click an alternative to go on from there.";
                let ready = cx.state.active(Ability::Continue).is_some();
                run = empty_state(ui, Icon::MessageSquareText, title, words, ready.then_some("Run the prompt"));
            }
            Some(shown) => output_strip(panel, ui, cx, shown, rest),
        }
    });
    if run {
        crate::ui::Panel::run(panel, cx);
    }
    ui.add_space(space::XS);
    probability_legend(ui);
}

pub(super) fn output_strip(panel: &mut PromptPanel, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown, height: f32) {
    let theme = ui.theme();
    let state = cx.state;
    let tokens: Vec<&GeneratedToken> = shown.tokens(state).collect();
    if tokens.is_empty() {
        if state.is_active(shown.job) {
            caption(ui, "Reading the prompt…");
        } else if state.error(shown.job).is_none() {
            caption(ui, "Nothing was generated.");
        }
        return;
    }
    let (paper, branch) = (theme.surface(), shown.kept.len().checked_sub(1));
    let end = state.run(shown.job).and_then(end_token);
    let (mut chosen, mut told) = (None, None);
    let strip = ScrollArea::vertical()
        .id_salt("output strip")
        .max_height((height - 2.0 * space::M).max(80.0))
        .auto_shrink(false)
        .stick_to_bottom(true)
        .show(ui, |ui| {
            let name = |i: usize| if tokens[i].name().is_empty() { "∅" } else { tokens[i].name() };
            let chip = |i: usize| Chip {
                text: end.filter(|_| i + 1 == tokens.len()).unwrap_or(name(i)),
                fill: probability_fill(theme, tokens[i].logprob.exp(), paper),
                selected: panel.selected == Some(i),
                underline: (branch == Some(i)).then(|| theme.accent()),
            };
            token_strip(ui, "Output tokens", tokens.len(), chip, |ui, i| {
                ui.set_width(300.0);
                let token = tokens[i];
                let name = visible_text(token.name());
                ui.label(RichText::new(name).font(Type::Strong.mono()).color(theme.body()));
                if let Some(place) = candidate_bars(ui, &token.top, token.id, true) {
                    chosen = Some((i, place));
                }
                caption(ui, "Click an alternative to go on from it.");
                told = Some(i);
            })
        })
        .inner;
    // While the pointer is on the alternatives of a token, that token is meant.
    panel.hovered = strip.hovered.or(told);
    if let Some(index) = strip.clicked {
        panel.selected = if panel.selected == Some(index) && strip.hovered == Some(index) { None } else { Some(index) };
        cx.selection.token = panel.selected.map(|i| shown.prompt(state).len() + i);
    }
    cx.selection.words =
        panel.focus().and_then(|i| tokens.get(i).map(|t| (i, t))).map_or_else(String::new, |(i, t)| {
            format!("token {i} · {:?} · {}", t.name(), widgets::percent(t.logprob.exp()))
        });
    if let Some((index, alternative)) = chosen {
        panel.branch(cx, index, alternative);
    }
}

/// Time to first token, speed, count and stop reason, in the direction of the layout.
pub(super) fn figures(ui: &mut Ui, cx: &Cx<'_>, shown: &Shown) {
    let theme = ui.theme();
    let Some(run) = cx.state.run(shown.job) else { return };
    let mut items = vec![(format!("{} new", run.tokens.len()), "Tokens generated in this run.")];
    if run.tokens_per_s() > 0.0 {
        let words = format!("{} tok/s", widgets::significant(run.tokens_per_s()));
        items.push((words, "Tokens a second, after the first one."));
    }
    if let Some(stats) = &run.stats {
        items.push((format!("{:.0} ms to first token", stats.ttft_ms), "Time from the request to the first token."));
        let why = end_token(run).map_or_else(|| stats.stop.to_string(), |end| format!("ended with {end}"));
        items.push((why, "Why the generation ended."));
    }
    if ui.layout().prefer_right_to_left() {
        items.reverse();
    }
    for (place, (words, help)) in items.iter().enumerate() {
        if place > 0 {
            ui.label(RichText::new("·").font(Type::Caption.mono()).color(theme.neutral(6)));
        }
        ui.label(RichText::new(words).font(Type::Caption.mono()).color(theme.caption())).on_hover_text(*help);
    }
}

/// The token a run ended with by itself, by its name: it stands for no text.
fn end_token(run: &Run) -> Option<&str> {
    let stats = run.stats.as_ref()?;
    let last = run.tokens.last().filter(|_| stats.stop == StopReason::EndOfSequence)?;
    last.top.iter().find(|candidate| candidate.id == last.id).map(|candidate| candidate.text.as_str())
}

pub(super) fn probability_legend(ui: &mut Ui) {
    let theme = ui.theme();
    ui.horizontal(|ui| {
        widgets::explain(
            ui,
            "Probability",
            "How likely the model held each token, at temperature 1. Colour grows with −log p, the surprise.",
        );
        let marks = [1.0f32, 0.1, 0.01, 0.001];
        let marks =
            marks.map(|p| (surprise(p), if p >= 0.01 { format!("{:.0} %", p * 100.0) } else { "0.1 %".into() }));
        let paper = theme.surface();
        widgets::legend(ui, 220.0, |share| surprise_fill(theme, share, paper), &marks);
    });
}

/// −log p as a share of the strongest surprise shown.
fn surprise(probability: f32) -> f32 {
    (probability.max(FLOOR).ln() / FLOOR.ln()).clamp(0.0, 1.0)
}

fn surprise_fill(theme: &Theme, share: f32, paper: Color32) -> Color32 {
    mix(paper, theme.category(1), share * 0.55)
}

fn probability_fill(theme: &Theme, probability: f32, paper: Color32) -> Color32 {
    surprise_fill(theme, surprise(probability), paper)
}
