//! A character that no face has, drawn as its code point: `U+1F9FF` in a frame as high as a line.
//!
//! It stands in the glyph's place, so it is the same in a chip, a label and a field, the text stays what it is, and the place of
//! the cursor with it. A box that is the same for every character would tell nothing in a program that shows tokens.

use egui::{Color32, ColorImage, GlyphBitmap, GlyphRasterizer, GlyphRasterizerRequest, RasterizedGlyph, Vec2};

/// Dots of a letter.
const WIDTH: usize = 4;
const HEIGHT: usize = 7;
/// From the frame's outer edge to the letters.
const MARGIN: usize = 3;
/// Of the frame below the line that letters stand on.
const BELOW: usize = 3;
/// Font size that one dot is one pixel at.
const SIZE: f32 = 13.0;
/// How strong the frame is beside the letters.
const FRAME: u8 = 110;

/// What draws the code points.
#[must_use]
pub fn code_points() -> GlyphRasterizer {
    GlyphRasterizer::new("fovea::code_points", |request: &GlyphRasterizerRequest<'_>| {
        words(request.cluster).map(|words| drawn(&words, request.font_size_px))
    })
}

/// What stands for characters without a glyph; nothing for white space, which has none to miss.
fn words(cluster: &str) -> Option<String> {
    let mut letters = cluster.chars();
    let first = letters.next().filter(|c| !c.is_whitespace())?;
    let more = if letters.next().is_some() { "+" } else { "" };
    Some(format!("U+{:04X}{more}", u32::from(first)))
}

fn drawn(words: &str, font_size: f32) -> RasterizedGlyph {
    let dot = (font_size / SIZE).round().max(1.0) as usize;
    let columns = words.len() * (WIDTH + 1) - 1 + 2 * MARGIN;
    let rows = HEIGHT + 2 * MARGIN;
    let mut image = ColorImage::filled([columns * dot, rows * dot], Color32::TRANSPARENT);
    let mut put = |column: usize, row: usize, ink: Color32| {
        for y in row * dot..(row + 1) * dot {
            for x in column * dot..(column + 1) * dot {
                image[(x, y)] = ink;
            }
        }
    };
    let frame = Color32::from_white_alpha(FRAME);
    (1..columns - 1).for_each(|column| [0, rows - 1].into_iter().for_each(|row| put(column, row, frame)));
    (1..rows - 1).for_each(|row| [0, columns - 1].into_iter().for_each(|column| put(column, row, frame)));
    for (place, letter) in words.bytes().enumerate() {
        for (row, dots) in shape(letter).into_iter().enumerate() {
            for column in (0..WIDTH).filter(|column| dots >> (WIDTH - 1 - column) & 1 == 1) {
                put(MARGIN + place * (WIDTH + 1) + column, MARGIN + row, Color32::WHITE);
            }
        }
    }
    let up = (rows - BELOW) * dot;
    RasterizedGlyph {
        bitmap: GlyphBitmap { image, offset_px: Vec2::new(dot as f32, -(up as f32)), is_color: false },
        advance_px: ((columns + 2) * dot) as f32,
    }
}

/// A letter's rows of dots, the leftmost highest.
fn shape(letter: u8) -> [u8; HEIGHT] {
    match letter {
        b'0' => [0b0110, 0b1001, 0b1001, 0b1001, 0b1001, 0b1001, 0b0110],
        b'1' => [0b0010, 0b0110, 0b0010, 0b0010, 0b0010, 0b0010, 0b0111],
        b'2' => [0b0110, 0b1001, 0b0001, 0b0010, 0b0100, 0b1000, 0b1111],
        b'3' => [0b1110, 0b0001, 0b0001, 0b0110, 0b0001, 0b0001, 0b1110],
        b'4' => [0b0001, 0b0011, 0b0101, 0b1001, 0b1111, 0b0001, 0b0001],
        b'5' => [0b1111, 0b1000, 0b1110, 0b0001, 0b0001, 0b1001, 0b0110],
        b'6' => [0b0110, 0b1000, 0b1000, 0b1110, 0b1001, 0b1001, 0b0110],
        b'7' => [0b1111, 0b0001, 0b0001, 0b0010, 0b0010, 0b0100, 0b0100],
        b'8' => [0b0110, 0b1001, 0b1001, 0b0110, 0b1001, 0b1001, 0b0110],
        b'9' => [0b0110, 0b1001, 0b1001, 0b0111, 0b0001, 0b0001, 0b0110],
        b'A' => [0b0110, 0b1001, 0b1001, 0b1111, 0b1001, 0b1001, 0b1001],
        b'B' => [0b1110, 0b1001, 0b1001, 0b1110, 0b1001, 0b1001, 0b1110],
        b'C' => [0b0110, 0b1001, 0b1000, 0b1000, 0b1000, 0b1001, 0b0110],
        b'D' => [0b1110, 0b1001, 0b1001, 0b1001, 0b1001, 0b1001, 0b1110],
        b'E' => [0b1111, 0b1000, 0b1000, 0b1110, 0b1000, 0b1000, 0b1111],
        b'F' => [0b1111, 0b1000, 0b1000, 0b1110, 0b1000, 0b1000, 0b1000],
        b'U' => [0b1001, 0b1001, 0b1001, 0b1001, 0b1001, 0b1001, 0b0110],
        b'+' => [0b0000, 0b0000, 0b0100, 0b1110, 0b0100, 0b0000, 0b0000],
        _ => [0; HEIGHT],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::{self, Type};
    use egui::epaint::text::{Fonts, TextOptions};
    use std::collections::BTreeSet;

    #[test]
    fn white_space_has_no_code_point_and_everything_else_its_own() {
        assert_eq!(words("\u{1F9FF}").as_deref(), Some("U+1F9FF"));
        assert_eq!(words("\u{7}").as_deref(), Some("U+0007"));
        assert_eq!(words("\u{1F468}\u{200D}\u{1F469}").as_deref(), Some("U+1F468+"));
        assert_eq!([words("\t"), words("\n"), words("\u{2009}"), words("")], [None, None, None, None]);
        let shapes: BTreeSet<_> = b"0123456789ABCDEFU+".iter().map(|&letter| shape(letter)).collect();
        assert_eq!(shapes.len(), 18, "each letter looks like no other");
    }

    #[test]
    fn a_character_without_a_glyph_is_drawn_as_its_code_point_and_no_other_is() {
        let mut fonts = Fonts::new(TextOptions::default(), theme::fonts());
        let mut width = |text: &str| {
            fonts.with_pixels_per_point(1.0).layout_no_wrap(text.into(), Type::Body.mono(), Color32::WHITE).size().x
        };
        let (word, box_) = (width("word"), width("\u{10FFFD}"));
        assert!(fonts.add_glyph_rasterizer(code_points()));
        let mut width = |text: &str| {
            fonts.with_pixels_per_point(1.0).layout_no_wrap(text.into(), Type::Body.mono(), Color32::WHITE).size().x
        };
        assert!((width("word") - word).abs() < f32::EPSILON);
        let columns = "U+10FFFD".len() * (WIDTH + 1) - 1 + 2 * MARGIN + 2;
        assert!(width("\u{10FFFD}") > 3.0 * box_ && (width("\u{10FFFD}") - columns as f32).abs() <= 1.0);
    }
}
