//! A model card's text, read as the Markdown it is: headings, lists, code and paragraphs.

use crate::types::printable;
use crate::ui::Themed;
use crate::ui::theme::{RADIUS, Type, space};
use egui::{Frame, Label, RichText, ScrollArea, Ui};

/// One piece of a text.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Heading(String),
    Paragraph(String),
    Item(String),
    /// Code, and tables, whose columns line up in letters of one width.
    Mono(String),
}

pub(super) fn show(ui: &mut Ui, text: &str) {
    let theme = ui.theme();
    ScrollArea::vertical().id_salt("description").auto_shrink(false).show(ui, |ui| {
        ui.set_max_width(ui.available_width().min(760.0));
        for piece in pieces(text) {
            match piece {
                Piece::Heading(words) => {
                    ui.add_space(space::S);
                    let words = RichText::new(printable(&words)).font(Type::Strong.bold()).color(theme.body());
                    ui.add(Label::new(words).wrap().selectable(true));
                }
                Piece::Paragraph(words) => paragraph(ui, &words),
                Piece::Item(words) => {
                    ui.horizontal_top(|ui| {
                        ui.label(RichText::new("•").font(Type::Body.sans()).color(theme.caption()));
                        paragraph(ui, &words);
                    });
                }
                Piece::Mono(words) => {
                    Frame::new().fill(theme.surface()).corner_radius(RADIUS).inner_margin(space::S).show(ui, |ui| {
                        ScrollArea::horizontal().id_salt(ui.next_auto_id()).show(ui, |ui| {
                            let words = RichText::new(printable(&words)).font(Type::Caption.mono()).color(theme.body());
                            ui.add(Label::new(words).extend().selectable(true));
                        });
                    });
                }
            }
        }
        ui.add_space(space::XL);
    });
}

fn paragraph(ui: &mut Ui, words: &str) {
    let words = RichText::new(printable(words)).font(Type::Body.sans()).color(ui.theme().body());
    ui.add(Label::new(words).wrap().selectable(true));
}

/// The pieces, in their order; the front matter is left out.
fn pieces(text: &str) -> Vec<Piece> {
    let mut lines = text.lines().peekable();
    if lines.peek().is_some_and(|line| line.trim_end() == "---") {
        lines.next();
        lines.by_ref().find(|line| line.trim_end() == "---");
    }
    let mut pieces = Vec::new();
    let mut open: Option<Piece> = None;
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if let Some(fence) = trimmed.get(..3).filter(|fence| matches!(*fence, "```" | "~~~")) {
            pieces.extend(open.take());
            let code: Vec<&str> = lines.by_ref().take_while(|line| !line.trim().starts_with(fence)).collect();
            pieces.push(Piece::Mono(code.join("\n")));
        } else if trimmed.is_empty() {
            pieces.extend(open.take());
        } else if line.starts_with('#') {
            pieces.extend(open.take());
            pieces.push(Piece::Heading(trimmed.trim_start_matches('#').trim().to_owned()));
        } else if trimmed.starts_with('|') {
            match &mut open {
                Some(Piece::Mono(table)) => *table += &format!("\n{trimmed}"),
                _ => pieces.extend(open.replace(Piece::Mono(trimmed.to_owned()))),
            }
        } else if let Some(item) = ["- ", "* "].iter().find_map(|mark| trimmed.strip_prefix(mark)) {
            pieces.extend(open.replace(Piece::Item(item.to_owned())));
        } else {
            match &mut open {
                Some(Piece::Paragraph(words) | Piece::Item(words)) => *words += &format!(" {trimmed}"),
                _ => pieces.extend(open.replace(Piece::Paragraph(trimmed.to_owned()))),
            }
        }
    }
    pieces.extend(open);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_read_in_pieces_and_its_front_matter_left_out() {
        let text = "---\nlicense: mit\n---\n# Name\nOne\ntwo.\n\n- a\n  b\n- c\n```sh\n# code\nrun\n```\n| x | y |\n|---|---|\nend";
        let expected = [
            Piece::Heading("Name".into()),
            Piece::Paragraph("One two.".into()),
            Piece::Item("a b".into()),
            Piece::Item("c".into()),
            Piece::Mono("# code\nrun".into()),
            Piece::Mono("| x | y |\n|---|---|".into()),
            Piece::Paragraph("end".into()),
        ];
        assert_eq!(pieces(text), expected);
        assert!(pieces("---\nnever closed").is_empty());
        assert!(pieces("").is_empty());
    }
}
