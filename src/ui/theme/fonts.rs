//! The faces: Noto Sans for words, Hack for tokens and numbers, Lucide for icons.

use egui::{FontData, FontDefinitions, FontFamily};
use skrifa::{FontRef, Tag};
use std::sync::Arc;

/// The family of bold text.
#[must_use]
pub fn bold() -> FontFamily {
    FontFamily::Name("bold".into())
}

/// The family of icons.
#[must_use]
pub fn icon_family() -> FontFamily {
    FontFamily::Name("icons".into())
}

/// Every face Fovea uses. Set once, on start.
#[must_use]
pub fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let mut add = |name: &str, face: FontData| drop(fonts.font_data.insert(name.to_owned(), Arc::new(face)));
    add("noto", FontData::from_owned(without_glyph_classes(notosans::REGULAR_TTF)));
    add("noto-bold", FontData::from_owned(without_glyph_classes(notosans::BOLD_TTF)));
    add("lucide", FontData::from_static(lucide_icons::LUCIDE_FONT_BYTES));

    // What Noto Sans lacks comes from egui's own faces behind it: signs of mathematics from Hack, emoji from those made for
    // them. Icons are last everywhere, so that an icon may stand in the middle of a sentence.
    let mut fallback = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    fallback.insert(1.min(fallback.len()), "Hack".to_owned());
    let with = |first: &str| {
        let mut names = vec![first.to_owned()];
        names.extend(fallback.iter().cloned());
        names.push("lucide".to_owned());
        names
    };
    let (regular, bold_names) = (with("noto"), with("noto-bold"));
    fonts.families.insert(FontFamily::Proportional, regular);
    fonts.families.insert(bold(), bold_names);
    fonts.families.insert(icon_family(), vec!["lucide".to_owned()]);
    let mono = fonts.families.entry(FontFamily::Monospace).or_default();
    // Hack has no letters beyond Latin, Greek and Cyrillic; Noto Sans stands in for the rest.
    mono.insert(1.min(mono.len()), "noto".to_owned());
    mono.push("lucide".to_owned());
    fonts
}

/// A face whose `GDEF` table names no classes of glyphs, so that Unicode says which are marks.
///
/// Noto Sans as it comes along counts accents that stand alone (a backtick, say) among the marks, which have no width: they would be drawn
/// over the letter behind them.
fn without_glyph_classes(face: &[u8]) -> Vec<u8> {
    // The classes' place stands behind the table's version; zero says that there are none (OpenType 1.9, GDEF header).
    const VERSION: usize = 4;
    let classes = FontRef::new(face).ok().and_then(|font| {
        let records = font.table_directory().table_records();
        Some(records.iter().find(|record| record.tag() == Tag::new(b"GDEF"))?.offset() as usize + VERSION)
    });
    let mut face = face.to_vec();
    if let Some(place) = classes.and_then(|at| face.get_mut(at..at + 2)) {
        place.fill(0);
    }
    face
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Type;
    use egui::FontId;
    use egui::epaint::text::{Fonts, TextOptions};
    use std::collections::BTreeMap;
    use std::path::Path;

    /// Characters beyond ASCII in the files below a folder, each with one of the files. Comments are passed over, and so is
    /// code that is compiled for tests alone.
    fn characters(folder: &Path, found: &mut BTreeMap<char, String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.display().to_string();
            if path.is_dir() {
                characters(&path, found);
                continue;
            }
            let is_code = name.ends_with(".rs");
            if name.ends_with("tests.rs")
                || !is_code && ![".tsv", ".toml", ".ron", ".txt", "CARD.md"].iter().any(|end| name.ends_with(end))
            {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let text = if is_code { text.split("#[cfg(test)]").next().unwrap_or_default() } else { &text };
            let lines = text.lines().filter(|line| !is_code || !line.trim_start().starts_with("//"));
            for c in lines.flat_map(str::chars).filter(|c| !c.is_ascii()) {
                found.entry(c).or_insert_with(|| name.clone());
            }
        }
    }

    #[test]
    fn every_character_of_fovea_s_own_texts_has_a_glyph_in_the_faces_that_come_along() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = BTreeMap::new();
        for folder in ["src/ui", "src/types", "assets", "models"] {
            characters(&root.join(folder), &mut found);
        }
        assert!(found.contains_key(&'’') && found.contains_key(&'ß'), "the texts were read");
        let mut fonts = Fonts::new(TextOptions::default(), fonts());
        for family in [FontFamily::Proportional, FontFamily::Monospace, bold()] {
            let font = FontId::new(Type::Body.size(), family);
            let missing: Vec<_> = found.iter().filter(|(c, _)| !fonts.has_glyph(&font, **c)).collect();
            assert!(missing.is_empty(), "{font:?} lacks {missing:?}");
        }
    }

    #[test]
    fn accents_that_stand_alone_have_a_width_and_those_over_letters_have_none() {
        let mut fonts = Fonts::new(TextOptions::default(), fonts());
        for family in [FontFamily::Proportional, bold()] {
            let font = FontId::new(64.0, family);
            let mut width = |text: &str| {
                let text = text.to_owned();
                fonts.with_pixels_per_point(1.0).layout_no_wrap(text, font.clone(), egui::Color32::WHITE).size().x
            };
            let alone = width("n");
            for accent in ['`', '´', '¨', '¸', 'ˆ', '˜', '^', '~'] {
                assert!(width(&format!("{accent}n")) > alone + 8.0, "{accent}");
            }
            assert_eq!(width("n\u{301}"), alone, "a mark is above its letter");
        }
    }

    #[test]
    fn signs_and_emoji_come_along_in_every_family() {
        let mut fonts = Fonts::new(TextOptions::default(), fonts());
        for family in [FontFamily::Proportional, FontFamily::Monospace, bold()] {
            assert!(fonts.has_glyphs(&FontId::new(13.0, family.clone()), "∝∑√→😀🎉❤♞"), "{family:?}");
        }
    }
}
