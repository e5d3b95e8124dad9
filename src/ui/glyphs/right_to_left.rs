//! Fields with words that are read from right to left: as many places for the cursor as there are letters.
//!
//! The toolkit (egui 0.37) shapes such a word in its own order, but counts nearly all of its letters twice, the second time as
//! places without width at the word's end. A click or a key behind it would change another place of the text than the cursor shows.

use egui::epaint::text::{Glyph, LayoutJob, PlacedRow};
use egui::{Color32, FontId, Galley, Ui};
use std::sync::Arc;

/// Whether there is such a word in a text.
#[must_use]
pub fn is_in(text: &str) -> bool {
    text.chars().any(is_right_to_left)
}

/// What a field shows in the place of the toolkit's own layout, which is the same otherwise.
#[must_use]
pub fn laid_out(ui: &Ui, text: &str, font: &FontId, width: f32) -> Arc<Galley> {
    // The colour is the field's.
    let mut job = LayoutJob::simple(text.to_owned(), font.clone(), Color32::PLACEHOLDER, width);
    job.keep_trailing_whitespace = true;
    let galley = ui.fonts_mut(|fonts| {
        let height = fonts.row_height(font) + ui.spacing().extra_text_line_spacing;
        job.sections.iter_mut().for_each(|section| section.format.line_height = Some(height));
        fonts.layout_job(job)
    });
    mended(&galley)
}

/// Hebrew, Arabic, Syriac, Thaana, N'Ko and the older scripts; with what joins and parts letters, which stands among them.
fn is_right_to_left(c: char) -> bool {
    matches!(c,
        '\u{590}'..='\u{8FF}' | '\u{200C}'..='\u{200F}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFE}'
        | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
}

/// With one glyph for each letter.
fn mended(galley: &Galley) -> Arc<Galley> {
    let mut mended = galley.clone();
    let mut rows = mended.rows.as_mut_slice();
    for line in galley.job.text.split('\n') {
        let count = rows.iter().take_while(|row| !row.ends_with_newline).count();
        let (of_line, others) = rows.split_at_mut((count + 1).min(rows.len()));
        rows = others;
        mend(line, of_line);
    }
    Arc::new(mended)
}

/// One line of a text, in one row or several.
fn mend(line: &str, rows: &mut [PlacedRow]) {
    let words = spans(line.chars().map(is_right_to_left));
    let shown = spans(rows.iter().flat_map(|row| &row.row.glyphs).map(|glyph| is_right_to_left(glyph.chr)));
    if words.len() != shown.len() {
        return;
    }
    let mut too_many = vec![0; shown.len()];
    let mut span_of = Vec::new();
    for (at, (word, shown)) in words.iter().zip(&shown).enumerate() {
        too_many[at] = shown.length.saturating_sub(word.length);
        span_of.extend(std::iter::repeat_n((at, shown.is_right_to_left), shown.length));
    }
    for row in rows.iter_mut().rev() {
        let glyphs = &mut Arc::make_mut(&mut row.row).glyphs;
        for place in (0..glyphs.len()).rev() {
            let (at, is_right_to_left) = span_of.pop().expect("one for each glyph");
            if is_right_to_left && too_many[at] > 0 && is_empty(&glyphs[place]) {
                glyphs.remove(place);
                too_many[at] -= 1;
            }
        }
    }
}

/// Takes no room and paints nothing.
fn is_empty(glyph: &Glyph) -> bool {
    glyph.advance_width == 0.0 && glyph.uv_rect.is_nothing()
}

struct Span {
    is_right_to_left: bool,
    length: usize,
}

/// Letters of one direction that follow each other.
fn spans(letters: impl Iterator<Item = bool>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for is_right_to_left in letters {
        match spans.last_mut().filter(|span| span.is_right_to_left == is_right_to_left) {
            Some(span) => span.length += 1,
            None => spans.push(Span { is_right_to_left, length: 1 }),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::{self, Type};
    use egui::epaint::text::{Fonts, TextOptions};

    /// No face has these letters, so boxes stand for them, in the order of the script.
    fn galley(text: &str, width: f32) -> Arc<Galley> {
        let mut fonts = Fonts::new(TextOptions::default(), theme::fonts());
        fonts.with_pixels_per_point(1.0).layout(text.into(), Type::Body.sans(), Color32::WHITE, width)
    }

    fn glyphs(galley: &Galley) -> String {
        galley.rows.iter().flat_map(|row| &row.row.glyphs).map(|glyph| glyph.chr).collect()
    }

    #[test]
    fn a_word_from_right_to_left_has_a_place_for_each_letter() {
        for (text, width) in [("שלום", 1000.0), ("שלום\nשלום", 1000.0), ("one\n\nשלוםשלום\ntwo", 30.0)]
        {
            let letters = text.chars().filter(|c| *c != '\n').count();
            let before = galley(text, width);
            assert!(glyphs(&before).chars().count() > letters, "the toolkit counts right: this file can go");
            let after = mended(&before);
            let shown = glyphs(&after);
            assert_eq!(shown.chars().count(), letters, "{text:?} became {shown:?}");
            assert_eq!(after.end().index.0, text.chars().count());
            assert_eq!(after.size(), before.size());
            let vertices =
                |galley: &Galley| galley.rows.iter().map(|row| row.row.visuals.mesh.vertices.len()).sum::<usize>();
            assert_eq!(vertices(&after), vertices(&before), "nothing that is seen is taken away");
        }
    }

    #[test]
    fn a_text_from_left_to_right_stays_as_it_is() {
        let galley = galley("Größe, ffi e\u{301}\nи так далее", 60.0);
        assert_eq!(*mended(&galley), *galley);
        assert!(!is_in(&galley.job.text) && is_in("a ש"));
    }
}
