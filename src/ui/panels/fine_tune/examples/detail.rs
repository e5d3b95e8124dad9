//! The example that is opened: its tokens with what each costs before and after, or its class with what was said.

use super::table::{ink_of, signed};
use crate::chart::number_grouped;
use crate::engine::{Command, InspectSpec, PromptInput, Work};
use crate::types::{DIGIT_SIDE, JobId, LossRow, LossToken, LossesReport, SiteFilter, ToldClass, diverging};
use crate::ui::theme::{RADIUS, Type, rgb, space};
use crate::ui::widgets::{Chip, caption, percent, secondary_button, token_strip, visible_text};
use crate::ui::{Cx, Intent, Themed};
use egui::{Color32, Frame, Label, Rect, RichText, Role, Sense, Ui, Vec2, WidgetInfo, pos2};
use lucide_icons::Icon;

/// A change of so many nats has the full colour.
const FULL: f32 = 4.0;
/// Side of a digit on screen.
const DIGIT: f32 = 140.0;

pub(super) fn show(ui: &mut Ui, cx: &mut Cx<'_>, job: JobId, report: &LossesReport, row: &LossRow) {
    let theme = ui.theme();
    let title = format!("Example {}", number_grouped(row.place as u64));
    ui.label(RichText::new(title).font(Type::Strong.bold()).color(theme.body()));
    let [before, after] = row.losses;
    ui.horizontal_wrapped(|ui| {
        let words = RichText::new(format!("{before:.4} → {after:.4}")).font(Type::Body.mono()).color(theme.body());
        ui.label(words);
        let change = RichText::new(signed(row.change())).font(Type::Body.mono());
        ui.label(change.color(ink_of(theme, row.change(), theme.caption())));
        caption(ui, report.unit());
    });
    match &row.told {
        Some(told) => class(ui, report, row, told),
        None => tokens(ui, row),
    }
    ui.add_space(space::S);
    look(ui, cx, job, row);
}

/// What was said of the label, and the text or the digit itself.
fn class(ui: &mut Ui, report: &LossesReport, row: &LossRow, told: &ToldClass) {
    let theme = ui.theme();
    let label = report.label(told.label);
    for (side, name) in ["Before", "After"].into_iter().enumerate() {
        let said = told.predictions[side].map_or("no number", |class| report.label(class));
        let mark = if told.predictions[side] == Some(told.label) { "right" } else { "wrong" };
        let share = told.probabilities[side];
        let share = if share.is_nan() { "NaN".to_owned() } else { percent(share as f32) };
        let words = format!("{name}: says {said} ({mark}); P({label}) {share}");
        ui.add(Label::new(RichText::new(words).font(Type::Body.sans()).color(theme.body())).wrap());
    }
    ui.add_space(space::S);
    if !row.pixels.is_empty() {
        return digit(ui, row);
    }
    Frame::new().fill(theme.ground()).corner_radius(RADIUS).inner_margin(space::S).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let text = RichText::new(&row.text).font(Type::Body.sans()).color(theme.body());
        ui.add(Label::new(text).wrap().selectable(true));
    });
}

fn digit(ui: &mut Ui, row: &LossRow) {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(DIGIT), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("The digit, labelled {}", row.text)));
    let side = DIGIT / DIGIT_SIDE as f32;
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, 0, Color32::BLACK);
    for (at, ink) in row.pixels.iter().enumerate().filter(|(_, ink)| **ink > 0) {
        let corner = rect.min + Vec2::new((at % DIGIT_SIDE) as f32, (at / DIGIT_SIDE) as f32) * side;
        painter.rect_filled(
            Rect::from_min_max(corner, pos2(corner.x + side, corner.y + side)),
            0,
            Color32::from_gray(*ink),
        );
    }
}

/// The tokens, tinted by how much more or less each costs.
fn tokens(ui: &mut Ui, row: &LossRow) {
    let theme = ui.theme();
    let given = row.tokens.iter().filter(|token| token.losses.is_none()).count();
    caption(
        ui,
        format!(
            "{} tokens predicted, {} given. Blue costs less after, orange more; point at one for its nats.",
            number_grouped(row.count as u64),
            number_grouped(given as u64)
        ),
    );
    let ground = theme.surface();
    let chip = |place: usize| {
        let token = &row.tokens[place];
        let text = if token.text.is_empty() { "∅" } else { &token.text };
        Chip { text, fill: fill(token, ground), selected: false, underline: None }
    };
    token_strip(ui, "Tokens of the example", row.tokens.len(), chip, |ui, place| {
        let token = &row.tokens[place];
        ui.label(RichText::new(visible_text(&token.text)).font(Type::Strong.mono()).color(theme.body()));
        caption(ui, told(token));
    });
}

fn fill(token: &LossToken, ground: Color32) -> Color32 {
    let Some([before, after]) = token.losses else { return Color32::TRANSPARENT };
    let share = (after - before) / FULL;
    rgb(diverging(share.clamp(-0.8, 0.8), [ground.r(), ground.g(), ground.b()]))
}

fn told(token: &LossToken) -> String {
    match token.losses {
        Some([before, after]) => {
            format!("{before:.3} → {after:.3} nats, {}", signed(f64::from(after) - f64::from(before)))
        }
        None => "It is given: its own loss is not counted.".to_owned(),
    }
}

/// Where the example can be taken.
fn look(ui: &mut Ui, cx: &mut Cx<'_>, job: JobId, row: &LossRow) {
    let model = cx.state.job(job).and_then(|job| job.model).filter(|model| cx.state.models.contains_key(model));
    let Some(model) = model else {
        caption(ui, "The model is closed: open it again to look into it.");
        return;
    };
    let is_text = row.pixels.is_empty() && !looks_like_picture(row);
    if !is_text {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        let button = secondary_button(ui, Some(Icon::Grid3x3), "Look at its attention");
        if button.on_hover_text("The text is read once by the tuned model, and its patterns are shown.").clicked() {
            let prompt = match row.tokens.is_empty() {
                true => PromptInput::Text(row.text.clone()),
                false => PromptInput::Ids(row.tokens.iter().map(|token| token.id).collect()),
            };
            let read = JobId::next();
            let spec = InspectSpec { prompt, sites: SiteFilter::patterns(), edits: cx.edits.on() };
            cx.send(Command::start(read, model, Work::Inspect(spec)));
            cx.activate(model);
            cx.intend(Intent::Inspect(read));
        }
        if !row.tokens.is_empty() {
            let button = secondary_button(ui, Some(Icon::ArrowRight), "Prompt with it");
            if button.on_hover_text("The text stands in the prompt panel, to go on from.").clicked() {
                cx.activate(model);
                cx.intend(Intent::Prompt(super::super::inspector::as_it_is(&row.text)));
            }
        }
    });
}

/// A picture is told by its path, or by its number in a file of many.
fn looks_like_picture(row: &LossRow) -> bool {
    let is_one_of_many = row.text.rsplit_once("-ubyte").is_some_and(|(_, rest)| rest.contains('#'));
    let path = std::path::Path::new(&row.text);
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    row.tokens.is_empty() && (is_one_of_many || matches!(ending.as_str(), "png" | "jpg" | "jpeg" | "webp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_by_what_it_costs_and_given_ones_are_not_tinted() {
        let token = |losses| LossToken { id: 1, text: "a".to_owned(), losses };
        assert_eq!(told(&token(Some([1.5, 1.0]))), "1.500 → 1.000 nats, −0.500");
        assert!(told(&token(None)).contains("given"));
        let ground = Color32::BLACK;
        assert_eq!(fill(&token(None), ground), Color32::TRANSPARENT);
        let [better, worse] = [[3.0, 0.0], [0.0, 3.0]].map(|losses| fill(&token(Some(losses)), ground));
        assert!(better.b() > better.r() && worse.r() > worse.b());
    }
}
