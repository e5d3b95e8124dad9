//! Text in figures: tokens made visible, and a font that draws them.

use plotters::prelude::{FontDesc, FontFamily, FontStyle};
use plotters::style::register_font;
use std::sync::Once;

/// The family written into SVG files. It is registered under this whole list, so that vector text names fallbacks.
const FAMILY: &str = "Noto Sans, Segoe UI, Helvetica Neue, Arial, sans-serif";

/// A token as a reader can see it: blanks, line breaks and control characters stand as signs.
#[must_use]
pub fn visible(token: &str) -> String {
    token
        .chars()
        .map(|c| match c {
            ' ' => '·',
            '\n' => '⏎',
            '\t' => '⇥',
            // The Unicode block 'Control Pictures' mirrors the control characters in order.
            c if c < ' ' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
            '\u{7f}' => '␡',
            // Not characters in XML.
            '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// `text` cut to `limit` characters, the cut shown by an ellipsis.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

/// `text` cut to what fits into `room`, the cut shown by an ellipsis.
pub(super) fn fitted(text: &str, size: f64, bold: bool, room: f64) -> String {
    if width(text, size, bold) <= room {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let cut = |count: usize| letters[..count].iter().chain(&['…']).collect::<String>();
    // The longest beginning that fits, found by halving.
    let (mut fits, mut is_too_long) = (0, letters.len());
    while fits + 1 < is_too_long {
        let middle = fits.midpoint(is_too_long);
        if width(&cut(middle), size, bold) <= room {
            fits = middle;
        } else {
            is_too_long = middle;
        }
    }
    cut(fits)
}

/// `text` as lines of at most `room`, broken between words; a word that is longer by itself is cut.
pub(super) fn wrapped(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let longer = lines.last().map(|line| format!("{line} {word}"));
        match longer.filter(|line| width(line, size, false) <= room) {
            Some(longer) => *lines.last_mut().expect("it was made longer") = longer,
            None => lines.push(fitted(word, size, false, room)),
        }
    }
    lines
}

/// The figure font at a size in the drawing's own units.
pub(super) fn font(size: f64, bold: bool) -> FontDesc<'static> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // A failure leaves the family unknown, and drawing text then reports it.
        let _ = register_font(FAMILY, FontStyle::Normal, notosans::REGULAR_TTF);
        let _ = register_font(FAMILY, FontStyle::Bold, notosans::BOLD_TTF);
    });
    FontDesc::new(FontFamily::Name(FAMILY), size, if bold { FontStyle::Bold } else { FontStyle::Normal })
}

/// Width of a line of text in the same units as its size.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    // Measured large and scaled down, because the layout is in whole units.
    const MEASURE: f64 = 100.0;
    let measured = font(MEASURE * RASTER_EM, bold).layout_box(text).map_or(0, |((x0, _), (x1, _))| x1 - x0);
    f64::from(measured) * size / MEASURE
}

/// Ascent plus descent of Noto Sans in em: the raster backend takes a size as this height, not as the em.
pub(super) const RASTER_EM: f64 = 1.362;

/// Text for the pixel font: characters it lacks are written out, so that no two of them look the same.
pub(super) fn for_pixels(text: &str) -> String {
    let missing = glyph('\u{10ffff}');
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            ' '..='~' => out.push(c),
            '⏎' if glyph(c) == missing => out.push_str("\\n"),
            '⇥' if glyph(c) == missing => out.push_str("\\t"),
            c if glyph(c) == missing => out.push_str(&format!("{{{:x}}}", c as u32)),
            c => out.push(c),
        }
        out
    })
}

/// The pixels of one character. The font offers no list of what it covers, but all it lacks looks alike.
fn glyph(c: char) -> Vec<(i32, i32, u8)> {
    let mut pixels = Vec::new();
    let mut buffer = [0; 4];
    let drawn = font(24.0, false).draw(c.encode_utf8(&mut buffer), (0, 0), |x, y, coverage| {
        pixels.push((x, y, (coverage * 255.0) as u8));
        Ok::<(), std::convert::Infallible>(())
    });
    debug_assert!(drawn.is_ok(), "the figure font is built in");
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_control_characters_become_visible() {
        assert_eq!(visible(" a\n\t\u{1}ß中"), "·a⏎⇥␁ß中");
        assert!(visible("\u{0}\u{1f}\u{7f}\u{ffff}").chars().all(|c| c > ' ' && c != '\u{ffff}'));
    }

    #[test]
    fn characters_the_pixel_font_lacks_stay_apart() {
        assert_eq!(for_pixels("·ß é"), "·ß é");
        assert_eq!(for_pixels("中"), "{4e2d}");
        assert_ne!(for_pixels("中"), for_pixels("国"));
    }

    #[test]
    fn width_grows_with_text_and_size() {
        assert!(width("iiii", 12.0, false) < width("mmmm", 12.0, false));
        assert!((width("loss", 24.0, false) / width("loss", 12.0, false) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_fitted_fits_and_loses_no_more_than_it_must() {
        let text = "Donaudampfschifffahrtsgesellschaft";
        let room = width("Donaudampf…", 12.0, false) + 0.1;
        assert_eq!(fitted(text, 12.0, false, room), "Donaudampf…");
        assert_eq!(fitted("Donau", 12.0, false, room), "Donau");
        assert_eq!(fitted(text, 12.0, false, 1.0), "…");
    }

    #[test]
    fn lines_break_between_words_and_fit() {
        let text = "a head asks with q and Donaudampfschifffahrtsgesellschaft answers";
        let lines = wrapped(text, 11.0, 90.0);
        assert!(lines.iter().all(|line| width(line, 11.0, false) <= 90.0), "{lines:?}");
        assert!(
            lines.len() > 3 && lines[0].starts_with("a head asks") && lines.last().unwrap() == "answers",
            "{lines:?}"
        );
        assert!(wrapped("", 11.0, 90.0).is_empty());
    }

    #[test]
    fn shortening_counts_characters_not_bytes() {
        assert_eq!(shortened("ßßßß", 4), "ßßßß");
        assert_eq!(shortened("ßßßßß", 4), "ßßß…");
    }
}
