//! What is handed on with Fovea, and under which licences: itself, typefaces, icons, libraries, every crate.

use serde::Deserialize;
use std::sync::{Arc, LazyLock};

/// A crate, a typeface or another work that is handed on with Fovea.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its name, which is that of the crate where it is one.
    pub name: String,
    /// Of a crate its version, of other works what they are.
    pub version: String,
    /// True for a crate.
    pub is_crate: bool,
    /// The licences that hold, each for a part of it where there are several.
    pub licences: Vec<Licence>,
}

/// A licence as it stands beside one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    /// The identifier of SPDX, such as `Apache-2.0`.
    pub id: Arc<str>,
    /// Lines that say whose the work is, where the text does not say it itself.
    pub copyright: String,
    /// The whole text.
    pub text: Arc<str>,
}

impl Component {
    /// Identifiers of the licences, each once, joined as SPDX joins them.
    #[must_use]
    pub fn expression(&self) -> String {
        let mut ids: Vec<&str> = Vec::new();
        for licence in &self.licences {
            if !ids.contains(&&*licence.id) {
                ids.push(&licence.id);
            }
        }
        ids.join(" AND ")
    }

    /// Where its source is, which some of the licences ask to be told.
    #[must_use]
    pub fn source(&self) -> Option<String> {
        self.is_crate.then(|| format!("https://crates.io/crates/{}/{}", self.name, self.version))
    }

    /// Every licence in full, one below the other.
    #[must_use]
    pub fn full_text(&self) -> String {
        let whole = |licence: &Licence| match licence.copyright.as_str() {
            "" => licence.text.to_string(),
            copyright => format!("{copyright}\n\n{}", licence.text),
        };
        self.licences.iter().map(whole).collect::<Vec<_>>().join(&format!("\n\n{}\n\n", "─".repeat(24)))
    }
}

/// Everything that is handed on with Fovea: itself first, then what lies inside crates, then the crates by name. Read when it
/// is first asked for.
#[must_use]
pub fn components() -> &'static [Component] {
    static COMPONENTS: LazyLock<Vec<Component>> = LazyLock::new(|| works().into_iter().chain(crates()).collect());
    &COMPONENTS
}

/// Fovea, and what lies inside crates and has a licence of its own.
fn works() -> Vec<Component> {
    let work = |name: &str, what: &str, id: &str, text: &str| Component {
        name: name.to_owned(),
        version: what.to_owned(),
        is_crate: false,
        licences: vec![Licence { id: id.into(), copyright: String::new(), text: text.trim().into() }],
    };
    let own = concat!(include_str!("../../LICENSE-MIT"), "\n\n", include_str!("../../LICENSE-APACHE"));
    vec![
        work("Fovea", env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_LICENSE"), own),
        work("Noto Sans", "typeface", "OFL-1.1", include_str!("../../assets/licences/noto-sans.txt")),
        work("Lucide", "icons", "ISC AND MIT", include_str!("../../assets/licences/lucide.txt")),
        work("Hack", "typeface", "MIT AND Bitstream-Vera", include_str!("../../assets/licences/hack.txt")),
        work("Ubuntu Light", "typeface", "Ubuntu-font-1.0", include_str!("../../assets/licences/ubuntu.txt")),
        work("emoji-icon-font", "typeface", "MIT", include_str!("../../assets/licences/emoji-icon-font.txt")),
        work("Oniguruma", "library", "BSD-2-Clause", include_str!("../../assets/licences/oniguruma.txt")),
    ]
}

/// `crates.json`; `assets/licences/make.py` says how it is made.
#[derive(Deserialize)]
struct Listed {
    texts: Vec<Text>,
    crates: Vec<Crate>,
}

#[derive(Deserialize)]
struct Text {
    id: String,
    text: String,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    /// Places in `texts`, with the copyright lines of this crate.
    licences: Vec<(usize, String)>,
}

fn crates() -> Vec<Component> {
    let listed: Listed = serde_json::from_str(include_str!("../../assets/licences/crates.json"))
        .expect("the file is part of the program and read by a test");
    let shared = |text: Text| (Arc::<str>::from(text.id), Arc::<str>::from(text.text));
    let texts: Vec<_> = listed.texts.into_iter().map(shared).collect();
    let component = |found: Crate| {
        let licences = found.licences.into_iter().map(|(at, copyright)| {
            let (id, text) = &texts[at];
            Licence { id: Arc::clone(id), copyright, text: Arc::clone(text) }
        });
        Component { licences: licences.collect(), name: found.name, version: found.version, is_crate: true }
    };
    listed.crates.into_iter().map(component).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_has_a_licence_with_its_text() {
        let all = components();
        assert!(all.len() > 300, "{}", all.len());
        for component in all {
            assert!(!component.licences.is_empty(), "{} has no licence", component.name);
            assert!(component.licences.iter().all(|licence| licence.text.len() > 400), "{}", component.name);
        }
        let fonts = all.iter().find(|component| component.name == "epaint_default_fonts").unwrap();
        assert_eq!(fonts.expression(), "Apache-2.0 AND OFL-1.1 AND Ubuntu-font-1.0");
        assert_eq!(fonts.full_text().matches(&"─".repeat(24)).count(), 2);
    }

    #[test]
    fn copyright_lines_stand_before_the_text_they_were_taken_from() {
        let all = components();
        let text = all.iter().find(|component| component.name == "ring").unwrap().full_text();
        let (line, permission) = ("Copyright 2025 Brian Smith.", "Permission to use, copy, modify");
        assert!(text.find(line).unwrap() < text.find(permission).unwrap());
        // An identifier that holds for several parts is told once.
        assert_eq!(all.iter().find(|component| component.name == "ring").unwrap().expression(), "Apache-2.0 AND ISC");
    }
}
