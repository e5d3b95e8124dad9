//! Bars of the most likely next tokens.

use super::token_strip::visible_text;
use super::{percent, share_bar};
use crate::types::{Candidate, GeneratedToken};
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Theme, Type};
use egui::{Align2, Color32, Painter, Rect, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, pos2};

const ROW: f32 = 24.0;
const TEXT_WIDTH: f32 = 92.0;
const NUMBER_WIDTH: f32 = 56.0;
/// Between two lines of a hatching.
const HATCH: f32 = 5.0;

/// Of which distribution bars are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Distribution {
    /// The model's own, at temperature 1.
    #[default]
    Model,
    /// The one that was drawn from: after bias, penalties, temperature and cuts.
    Drawn,
}

/// One bar.
struct Bar<'a> {
    id: u32,
    text: &'a str,
    share: f32,
    is_cut: bool,
    /// Its place among the most likely, where it is one.
    place: Option<usize>,
}

/// Shows candidates as bars: text at the left, bar, percentage; `chosen` in the accent; the rest of the mass as a grey bar.
/// Gives the place of one that was clicked.
pub fn candidate_bars(ui: &mut Ui, top: &[Candidate], chosen: u32, clickable: bool) -> Option<usize> {
    let bars = top.iter().enumerate().map(|(place, candidate)| Bar {
        id: candidate.id,
        text: &candidate.text,
        share: candidate.probability,
        is_cut: false,
        place: Some(place),
    });
    show(ui, &bars.collect::<Vec<_>>(), chosen, clickable)
}

/// The same for a generated token: what it might have been under the model, or what it was drawn from. The token itself has a bar
/// always, and what could not be drawn is hatched. Gives the place among [`GeneratedToken::top`] of one that was clicked.
pub fn token_bars(ui: &mut Ui, token: &GeneratedToken, of: Distribution, clickable: bool) -> Option<usize> {
    show(ui, &bars(token, of), token.id, clickable)
}

fn bars<'a>(token: &'a GeneratedToken, of: Distribution) -> Vec<Bar<'a>> {
    let is_in = |list: &[Candidate], id: u32| list.iter().any(|candidate| candidate.id == id);
    let is_cut = |id: u32| !token.drawn.is_empty() && !is_in(&token.drawn, id);
    let bar = |text: &'a str, id: u32, share: f32| {
        let place = token.top.iter().position(|candidate| candidate.id == id);
        Bar { id, text, share, is_cut: is_cut(id), place }
    };
    match of {
        Distribution::Model => {
            let top = token.top.iter().map(|candidate| bar(&candidate.text, candidate.id, candidate.probability));
            let is_behind = !token.top.is_empty() && !is_in(&token.top, token.id);
            let own = is_behind.then(|| bar(token.name(), token.id, token.logprob.exp()));
            top.chain(own).collect()
        }
        Distribution::Drawn => {
            let most = token.top.len();
            let likeliest = token.drawn.iter().enumerate();
            let likeliest = likeliest.filter(|(place, candidate)| *place < most || candidate.id == token.id);
            let drawn = likeliest.map(|(_, candidate)| bar(&candidate.text, candidate.id, candidate.probability));
            let cut = token.top.iter().filter(|candidate| is_cut(candidate.id));
            drawn.chain(cut.map(|candidate| bar(&candidate.text, candidate.id, 0.0))).collect()
        }
    }
}

fn show(ui: &mut Ui, bars: &[Bar<'_>], chosen: u32, clickable: bool) -> Option<usize> {
    let theme = ui.theme();
    let width = ui.available_width().clamp(220.0, 360.0);
    let mut clicked = None;
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for bar in bars {
            let can_be = clickable && bar.place.is_some();
            let sense = if can_be { Sense::click() } else { Sense::hover() };
            let (rect, response) = ui.allocate_exact_size(Vec2::new(width, ROW), sense);
            let (text, is_chosen) = (visible_text(bar.text), bar.id == chosen);
            let share = if bar.is_cut && bar.share == 0.0 { "cut".to_owned() } else { percent(bar.share) };
            response.widget_info(|| {
                let role = if can_be { Role::Button } else { Role::ListItem };
                let cut = if bar.is_cut && bar.share > 0.0 { ", cut" } else { "" };
                WidgetInfo::selected(role, true, is_chosen, format!("{text} {share}{cut}"))
            });
            if can_be && (response.hovered() || response.has_focus()) {
                ui.painter().rect_filled(rect, CHIP_RADIUS, theme.hover());
            }
            let colour = if is_chosen { theme.accent() } else { theme.neutral(6) };
            let fill = if bar.is_cut { Fill::Hatched } else { Fill::Whole(colour) };
            bar_row(ui, rect, &text, (bar.share, &share), fill, is_chosen);
            if response.clicked() {
                clicked = bar.place;
            }
        }
        let rest = (1.0 - bars.iter().map(|bar| bar.share).sum::<f32>()).max(0.0);
        let (rect, response) = ui.allocate_exact_size(Vec2::new(width, ROW), Sense::hover());
        let share = percent(rest);
        let name = format!("all others {share}");
        response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, &name));
        bar_row(ui, rect, "all others", (rest, &share), Fill::Whole(theme.neutral(4)), false);
    });
    clicked
}

/// How a bar is painted.
#[derive(Clone, Copy)]
enum Fill {
    Whole(Color32),
    /// Of what cannot be drawn.
    Hatched,
}

/// A bar of lines: in the place of one that counts.
fn hatched_bar(painter: &Painter, theme: &Theme, rect: Rect, share: f32) {
    let width = if share > 0.0 { (rect.width() * share.min(1.0)).max(1.0) } else { 0.0 };
    let filled = Rect::from_min_size(rect.min, Vec2::new(width, rect.height()));
    let clip = painter.with_clip_rect(painter.clip_rect().intersect(rect));
    let line = Stroke::new(1.0, theme.neutral(5));
    let mut left = rect.left() - rect.height();
    while left < rect.right() {
        clip.line_segment([pos2(left, rect.bottom()), pos2(left + rect.height(), rect.top())], line);
        left += HATCH;
    }
    painter.rect_stroke(filled, 2, Stroke::new(1.0, theme.neutral(6)), egui::StrokeKind::Inside);
}

fn bar_row(ui: &Ui, rect: Rect, text: &str, (share, words): (f32, &str), fill: Fill, strong: bool) {
    let theme = ui.theme();
    let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
    let ink = if strong { theme.accent_text() } else { theme.body() };
    let text_clip = Rect::from_min_size(rect.min, Vec2::new(TEXT_WIDTH, rect.height()));
    painter.with_clip_rect(painter.clip_rect().intersect(text_clip)).text(
        pos2(rect.left() + 4.0, rect.center().y),
        Align2::LEFT_CENTER,
        text,
        Type::Body.mono(),
        ink,
    );
    let bar = Rect::from_min_max(
        pos2(rect.left() + TEXT_WIDTH + 8.0, rect.center().y - 5.0),
        pos2(rect.right() - NUMBER_WIDTH - 8.0, rect.center().y + 5.0),
    );
    match fill {
        Fill::Whole(colour) => share_bar(&painter, theme, bar, share, colour),
        Fill::Hatched => hatched_bar(&painter, theme, bar, share),
    }
    let at = pos2(rect.right() - 4.0, rect.center().y);
    painter.text(at, Align2::RIGHT_CENTER, words, Type::Caption.mono(), theme.caption());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: u32, probability: f32) -> Candidate {
        Candidate { id, text: format!("t{id}"), probability }
    }

    /// The token 9 was drawn, which stands behind the three likeliest; the second of them could not be.
    fn token() -> GeneratedToken {
        GeneratedToken {
            id: 9,
            text: "t9".into(),
            own: "t9".into(),
            logprob: 0.01f32.ln(),
            rank: Some(17),
            top: vec![candidate(1, 0.5), candidate(2, 0.3), candidate(3, 0.1)],
            drawn: vec![candidate(9, 0.6), candidate(1, 0.3)],
        }
    }

    fn told(of: Distribution) -> Vec<(u32, f32, bool, Option<usize>)> {
        bars(&token(), of).iter().map(|bar| (bar.id, bar.share, bar.is_cut, bar.place)).collect()
    }

    #[test]
    fn the_token_itself_has_a_bar_and_what_was_cut_is_marked() {
        let own = 0.01f32.ln().exp();
        let expected =
            [(1, 0.5, false, Some(0)), (2, 0.3, true, Some(1)), (3, 0.1, true, Some(2)), (9, own, false, None)];
        assert_eq!(told(Distribution::Model), expected);
        assert_eq!(
            told(Distribution::Drawn),
            [(9, 0.6, false, None), (1, 0.3, false, Some(0)), (2, 0.0, true, Some(1)), (3, 0.0, true, Some(2))]
        );
    }

    #[test]
    fn of_a_token_that_nobody_drew_nothing_is_cut() {
        let told = GeneratedToken { drawn: Vec::new(), ..token() };
        assert!(bars(&told, Distribution::Model).iter().all(|bar| !bar.is_cut));
    }
}
