//! What a model says next, before a change and after it.

use super::{colour, words};
use crate::types::{ChangedOrder, WordOrderReport};
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, explain, one_line, percent, share_bar, visible_text};
use egui::{Align2, Rect, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2};

const ROW: f32 = 22.0;
/// Tokens that are shown.
const MOST: usize = 7;
const TEXT: f32 = 96.0;
const NUMBERS: f32 = 132.0;
/// From which difference of probabilities on a token is marked.
const MARKED: f32 = 0.01;

const HELP: &str = "Grey is what the model says of the text as written, in colour what it says now. Tokens whose probability changes by \
     more than one point have an arrow.";

/// A token with its probability before and now, where they are known.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    text: String,
    before: f32,
    now: f32,
}

pub(super) fn show(ui: &mut Ui, report: &WordOrderReport, change: &ChangedOrder) {
    let (Some(before), Some(said)) = (&report.said, &change.said) else {
        let words = match change.pooled {
            Some(_) => {
                "This encoder has no head that guesses tokens. What changes is its vectors: that of the token that is followed, and that of the whole text."
            }
            None => {
                "Follow a mask to see what the model puts in its place. Of other tokens an encoder says nothing; their vectors change."
            }
        };
        ui.label(RichText::new("What it says").font(Type::Body.bold()).color(ui.theme().body()));
        caption(ui, words);
        return;
    };
    let theme = ui.theme();
    explain(ui, "Likeliest as written and now", HELP);
    let hue = colour(theme, change.how);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for said in both(report, change) {
            let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
            let text = visible_text(&said.text);
            let mark = mark(&said);
            let numbers = format!("{} → {}", percent(said.before), percent(said.now));
            response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, format!("{text} {numbers} {mark}")));
            let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
            let y = rect.center().y;
            let galley = one_line(&painter, &text, Type::Body.mono(), theme.body(), TEXT - 8.0);
            painter.galley(pos2(rect.left(), y - galley.size().y / 2.0), galley, theme.body());
            let bars =
                Rect::from_min_max(pos2(rect.left() + TEXT, y - 7.0), pos2(rect.right() - NUMBERS - space::S, y + 7.0));
            let (upper, lower) = bars.split_top_bottom_at_fraction(0.5);
            share_bar(&painter, theme, upper.shrink2(vec2(0.0, 0.5)), said.before, theme.neutral(6));
            share_bar(&painter, theme, lower.shrink2(vec2(0.0, 0.5)), said.now, hue);
            let at = pos2(rect.right() - 14.0, y);
            painter.text(at, Align2::RIGHT_CENTER, numbers, Type::Caption.mono(), theme.body());
            painter.text(pos2(rect.right(), y), Align2::RIGHT_CENTER, mark, Type::Caption.mono(), theme.accent_text());
        }
    });
    let first = before.first().map_or(0.0, |first| first.probability);
    let now = said.written.first().copied().unwrap_or(0.0);
    let first_text = before.first().map_or_else(String::new, |first| visible_text(&first.text));
    caption(
        ui,
        format!("KL {} nats; ‘{first_text}’ from {} to {}", words::nats(said.kl), percent(first), percent(now)),
    );
}

/// Up, down, or nothing much.
fn mark(said: &Said) -> &'static str {
    match said.now - said.before {
        change if change > MARKED => "↑",
        change if change < -MARKED => "↓",
        _ => "",
    }
}

/// The likeliest tokens of both, each once: those as written first, then those that came up, as many of each as there is room for.
fn both(report: &WordOrderReport, change: &ChangedOrder) -> Vec<Said> {
    let (Some(before), Some(said)) = (&report.said, &change.said) else { return Vec::new() };
    let is_new = |id: u32| !before.iter().any(|candidate| candidate.id == id);
    let new: Vec<Said> = (said.top.iter())
        .filter(|(candidate, _)| is_new(candidate.id))
        .map(|(candidate, before)| Said { text: candidate.text.clone(), before: *before, now: candidate.probability })
        .collect();
    let written = before.iter().zip(&said.written);
    let written =
        written.map(|(candidate, now)| Said { text: candidate.text.clone(), before: candidate.probability, now: *now });
    let kept = MOST - new.len().min(MOST / 2);
    let mut all: Vec<Said> = written.take(kept).collect();
    let room = MOST - all.len();
    all.extend(new.into_iter().take(room));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Candidate, ChangedAnswer, Reordering};

    #[test]
    fn a_token_stands_once_and_those_that_came_up_have_room() {
        let candidate = |id: u32, probability| Candidate { id, text: format!("t{id}"), probability };
        let before: Vec<Candidate> = (0..6).map(|id| candidate(id, 0.15)).collect();
        let said = ChangedAnswer {
            kl: 1.0,
            written: vec![0.05; 6],
            top: vec![(candidate(7, 0.5), 0.01), (candidate(2, 0.05), 0.15), (candidate(8, 0.04), 0.0)],
        };
        let how = Reordering::Shuffled;
        let change = ChangedOrder { how, said: Some(said), cosines: vec![], pooled: None, heads: vec![] };
        let report = WordOrderReport {
            tokens: Vec::new(),
            token: 0,
            swap: None,
            order: Vec::new(),
            positions: None,
            said: Some(before),
            changes: Vec::new(),
            without: None,
            left_out: None,
        };
        let all = both(&report, &change);
        let texts: Vec<&str> = all.iter().map(|said| said.text.as_str()).collect();
        assert_eq!(texts, ["t0", "t1", "t2", "t3", "t4", "t7", "t8"]);
        assert_eq!((all[5].before, all[5].now), (0.01, 0.5));
        assert_eq!(all.iter().map(mark).collect::<Vec<_>>(), ["↓", "↓", "↓", "↓", "↓", "↑", "↑"]);
    }
}
