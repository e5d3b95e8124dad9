//! A field that finds heads by their place or by what they do.

use super::Shown;
use super::atlas::AtlasView;
use crate::analysis::{HeadAtlas, HeadFilter};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, hint};
use crate::ui::{Cx, Themed};
use egui::{Align, Key, Layout, RichText, TextEdit, Ui};

const HELP: &str = "4.7 is head 7 of layer 4. A score such as induction or previous finds the heads that do it most on your text; \
     >0.4 previous, entropy <1 and layer 5 narrow it down. Enter shows the first one, and Enter again the next.";
const WIDTH: f32 = 116.0;

/// What is looked for.
#[derive(Default)]
pub(super) struct HeadSearch {
    text: String,
}

/// What was found.
#[derive(Debug, Default, PartialEq)]
struct Found {
    /// Layer and head of each, in the order in which Enter goes through them.
    heads: Vec<(usize, usize)>,
    /// What there is to say instead of their number.
    words: Option<String>,
}

impl HeadSearch {
    /// Shows the field at the end of the line that `title` begins.
    pub fn show(&mut self, title: RichText, atlas: &mut AtlasView, shown: &Shown, ui: &mut Ui, cx: &mut Cx<'_>) {
        let mut goes = false;
        ui.horizontal(|ui| {
            ui.label(title).on_hover_text(super::controls::HEAD_HELP);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let width = WIDTH.min(ui.available_width() - space::S);
                let field = TextEdit::singleline(&mut self.text).hint_text(hint("4.7, induction")).desired_width(width);
                let field = ui.add(field).accessible_name("Find a head").on_hover_text(HELP);
                goes = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
                if goes {
                    // So that Enter goes on to the next.
                    field.request_focus();
                }
            });
        });
        if self.text.trim().is_empty() {
            return;
        }
        let context = ui.ctx().clone();
        let found = find(&self.text, atlas.of_text(&context, cx, shown).as_deref(), (shown.layers, shown.heads));
        let chosen = (cx.selection.layer, cx.selection.head);
        if let Some(next) = next(&found.heads, chosen).filter(|_| goes) {
            (cx.selection.layer, cx.selection.head) = next;
        }
        match found.words {
            Some(words) => {
                let ink = ui.theme().warning();
                ui.label(RichText::new(words).font(Type::Caption.sans()).color(ink));
            }
            None => drop(caption(ui, counted(&found.heads))),
        }
    }
}

/// The one behind the chosen one, or the first.
fn next(heads: &[(usize, usize)], chosen: (usize, usize)) -> Option<(usize, usize)> {
    let at = heads.iter().position(|head| *head == chosen).map_or(0, |at| at + 1);
    heads.get(at).or(heads.first()).copied()
}

fn counted(heads: &[(usize, usize)]) -> String {
    match heads {
        [] => "No head is like that.".to_owned(),
        [(layer, head)] => format!("Head {layer}.{head}. Enter shows it."),
        [(layer, head), ..] => format!("{} heads, first {layer}.{head}. Enter shows one after the other.", heads.len()),
    }
}

/// Heads by place of all there are; by what they do of those that are scored.
fn find(text: &str, atlas: Option<&HeadAtlas>, (layers, heads): (usize, usize)) -> Found {
    let scores = atlas.map(HeadAtlas::scores).unwrap_or_default();
    let filter = HeadFilter::parse(text, &scores);
    if let (Some(words), Some(_)) = (&filter.unclear, atlas) {
        return Found { heads: Vec::new(), words: Some(words.clone()) };
    }
    if filter.is_of_places() && filter.unclear.is_none() {
        let all = (0..layers).flat_map(|layer| (0..heads).map(move |head| (layer, head)));
        return Found { heads: all.filter(|(layer, head)| filter.takes_place(*layer, *head)).collect(), words: None };
    }
    match atlas {
        Some(atlas) => Found { heads: filter.found(atlas), words: None },
        None => Found { heads: Vec::new(), words: Some("The heads are being scored…".to_owned()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_before_anything_is_scored_and_a_score_waits() {
        assert_eq!(find("2.1", None, (3, 2)).heads, [(2, 1)]);
        assert_eq!(find("layer 1", None, (3, 2)).heads, [(1, 0), (1, 1)]);
        assert_eq!(find("7.0", None, (3, 2)), Found::default(), "there is no such layer");
        assert_eq!(find("induction", None, (3, 2)).words.as_deref(), Some("The heads are being scored…"));
    }

    #[test]
    fn enter_goes_through_what_was_found_and_begins_again() {
        let heads = [(4, 1), (0, 2), (3, 3)];
        assert_eq!(next(&heads, (9, 9)), Some((4, 1)));
        assert_eq!(next(&heads, (4, 1)), Some((0, 2)));
        assert_eq!(next(&heads, (3, 3)), Some((4, 1)));
        assert_eq!(next(&[], (3, 3)), None);
    }
}
