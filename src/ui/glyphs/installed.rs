//! The typefaces that are installed on this system, and which of them shows a character best.

use fontdb::{Database, FaceInfo, ID, Source, Stretch, Style, Weight};
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::{FontRef, MetadataProvider};
use std::collections::HashMap;
use std::sync::Arc;

/// Neighbours of a character among which a face is judged: one that has a letter of a script should have the others.
const BLOCK: u32 = 128;

/// A face that was chosen, with the bytes of its file.
#[derive(Clone)]
pub(super) struct Face {
    /// Family and style, as people call it.
    pub(super) name: String,
    /// The character it was chosen for.
    pub(super) wanted_for: char,
    /// Read as a whole: a mapped file that is cut short while it is in use ends the program.
    pub(super) bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
    /// Place in the file, which may hold several.
    pub(super) index: u32,
}

impl Face {
    /// What tells it from every other.
    pub(super) fn key(&self) -> String {
        format!("system: {} {}", self.name, self.index)
    }

    pub(super) fn has(&self, character: char) -> bool {
        let font = FontRef::from_index(self.bytes.as_ref().as_ref(), self.index);
        font.is_ok_and(|font| font.charmap().map(character).is_some())
    }
}

/// All faces of the system.
pub(super) struct Installed {
    database: Database,
    faces: Vec<Candidate>,
    /// The languages in which Chinese characters are written, the person's first.
    han: &'static str,
}

struct Candidate {
    id: ID,
    taste: Taste,
    /// How many characters it has in each block.
    blocks: HashMap<u32, u8>,
}

/// How far a face is from the regular sans face that text is set in; the least is best.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Taste {
    slanted: bool,
    stretched: bool,
    weight: u16,
    kind: u8,
    /// So that the choice is the same each time.
    name: String,
}

impl Taste {
    fn of(face: &FaceInfo) -> Self {
        let name = face.families.first().map(|(name, _)| name.clone()).unwrap_or_default();
        let kind = match name.as_str() {
            name if name.starts_with("Noto Sans") => 0,
            name if name.contains("Sans") => 1,
            name if name.contains("Serif") => 3,
            _ => 2,
        };
        Self {
            slanted: face.style != Style::Normal,
            stretched: face.stretch != Stretch::Normal,
            weight: face.weight.0.abs_diff(Weight::NORMAL.0),
            kind: kind + 4 * u8::from(face.monospaced),
            name,
        }
    }
}

impl Installed {
    /// Looks through the folders that the system keeps typefaces in.
    pub(super) fn on_this_system() -> Self {
        let mut database = Database::new();
        database.load_system_fonts();
        let language = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| std::env::var(name).ok());
        Self::among(database, &language.unwrap_or_default())
    }

    fn among(database: Database, language: &str) -> Self {
        let han = match language.get(..5) {
            Some("zh_TW") => "TC",
            Some("zh_HK") => "HK",
            _ if language.starts_with("ja") => "JP",
            _ if language.starts_with("ko") => "KR",
            _ => "SC",
        };
        let mut faces: Vec<Candidate> = database
            .faces()
            // Made to show a box for every character.
            .filter(|face| !face.families.iter().any(|(name, _)| name.contains("LastResort") || name == "Last Resort"))
            .filter_map(|face| {
                let blocks = database.with_face_data(face.id, blocks)?;
                (!blocks.is_empty()).then(|| Candidate { id: face.id, taste: Taste::of(face), blocks })
            })
            .collect();
        faces.sort_by(|a, b| a.taste.cmp(&b.taste));
        Self { database, faces, han }
    }

    /// The face that suits a character best, if any can draw it.
    pub(super) fn face_for(&self, character: char) -> Option<Face> {
        let block = u32::from(character) / BLOCK;
        let mut able: Vec<(&Candidate, u8)> =
            self.faces.iter().filter_map(|face| Some((face, *face.blocks.get(&block)?))).collect();
        able.retain(|(face, _)| self.draws(face.id, character));
        let most = able.iter().map(|(_, count)| *count).max()?;
        // One in ten may be missing: letters of rare languages, marks of a newer Unicode.
        able.retain(|(_, count)| u32::from(*count) * 10 >= u32::from(most) * 9);
        let form = form(character, self.han);
        let best = able.into_iter().min_by_key(|(face, _)| !face.taste.name.ends_with(form))?.0;
        self.read(best, character)
    }

    fn draws(&self, id: ID, character: char) -> bool {
        self.database.with_face_data(id, |bytes, index| draws(bytes, index, character)).unwrap_or(false)
    }

    fn read(&self, face: &Candidate, wanted_for: char) -> Option<Face> {
        let (source, index) = self.database.face_source(face.id)?;
        let bytes: Arc<dyn AsRef<[u8]> + Send + Sync> = match source {
            Source::Binary(bytes) => bytes,
            Source::File(path) | Source::SharedFile(path, _) => Arc::new(std::fs::read(path).ok()?),
        };
        Some(Face { name: face.taste.name.clone(), wanted_for, bytes, index })
    }
}

/// Fonts for Chinese characters come in several forms, one a language; the letters of a language say which is meant.
fn form(character: char, han: &'static str) -> &'static str {
    match character {
        '\u{3040}'..='\u{30FF}' => "JP",
        '\u{1100}'..='\u{11FF}' | '\u{3130}'..='\u{318F}' | '\u{AC00}'..='\u{D7AF}' => "KR",
        _ => han,
    }
}

fn blocks(bytes: &[u8], index: u32) -> HashMap<u32, u8> {
    let mut blocks = HashMap::new();
    let Ok(font) = FontRef::from_index(bytes, index) else { return blocks };
    for (character, _) in font.charmap().mappings() {
        *blocks.entry(character / BLOCK).or_default() += 1;
    }
    blocks
}

/// Whether a face has an outline for a character. Faces of coloured bitmaps have none, and would show nothing.
fn draws(bytes: &[u8], index: u32, character: char) -> bool {
    let Ok(font) = FontRef::from_index(bytes, index) else { return false };
    let Some(glyph) = font.charmap().map(character).and_then(|id| font.outline_glyphs().get(id)) else { return false };
    let mut lines = Lines(0);
    let drawn = glyph.draw(DrawSettings::unhinted(Size::unscaled(), LocationRef::default()), &mut lines);
    drawn.is_ok() && (lines.0 > 0 || character.is_whitespace())
}

/// Counts what is drawn.
struct Lines(usize);

impl OutlinePen for Lines {
    fn move_to(&mut self, _: f32, _: f32) {}

    fn line_to(&mut self, _: f32, _: f32) {
        self.0 += 1;
    }

    fn quad_to(&mut self, _: f32, _: f32, _: f32, _: f32) {
        self.0 += 1;
    }

    fn curve_to(&mut self, _: f32, _: f32, _: f32, _: f32, _: f32, _: f32) {
        self.0 += 1;
    }

    fn close(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system that has Fovea's own faces and no other.
    fn system() -> Installed {
        let mut database = Database::new();
        for face in [notosans::BOLD_ITALIC_TTF, notosans::BOLD_TTF, notosans::ITALIC_TTF, notosans::REGULAR_TTF] {
            database.load_font_data(face.to_vec());
        }
        database.load_font_data(lucide_icons::LUCIDE_FONT_BYTES.to_vec());
        Installed::among(database, "")
    }

    #[test]
    fn the_regular_face_is_chosen_before_bold_and_slanted_ones() {
        let system = system();
        let face = system.face_for('ж').expect("Noto Sans has it");
        assert_eq!(face.name, "Noto Sans");
        assert_eq!(face.bytes.as_ref().as_ref(), notosans::REGULAR_TTF);
        assert!(face.has('ж') && !face.has('中'));
        let icon = char::from(lucide_icons::Icon::Box);
        assert!(system.face_for(icon).expect("an icon").name.contains("ucide"));
    }

    #[test]
    fn no_face_is_chosen_for_a_character_that_none_can_draw() {
        assert!(system().face_for('中').is_none());
        assert!(!draws(notosans::REGULAR_TTF, 0, '\u{200B}'), "it is mapped, and nothing is drawn");
        assert!(draws(notosans::REGULAR_TTF, 0, '\u{A0}'), "nothing is to be drawn");
        assert!(!draws(b"no typeface", 0, 'a'));
    }

    #[test]
    fn the_letters_of_a_language_say_which_form_of_chinese_characters_is_meant() {
        let han = |language| Installed::among(Database::new(), language).han;
        assert_eq!(
            [han(""), han("de_DE.UTF-8"), han("ja_JP.UTF-8"), han("zh_TW.UTF-8"), han("ko")],
            ["SC", "SC", "JP", "TC", "KR"]
        );
        assert_eq!(['中', 'あ', '한'].map(|c| form(c, "TC")), ["TC", "JP", "KR"]);
    }
}
