//! The faces: Noto Sans for words, Hack for tokens and numbers, Lucide for icons.

use egui::{FontData, FontDefinitions, FontFamily};
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
    let mut add = |name: &str, bytes: &'static [u8]| {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    };
    add("noto", notosans::REGULAR_TTF);
    add("noto-bold", notosans::BOLD_TTF);
    add("lucide", lucide_icons::LUCIDE_FONT_BYTES);

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
