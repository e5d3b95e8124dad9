//! Typefaces of the system, asked for when a character that no face at hand has is about to be shown.
//!
//! Looking through them takes from some milliseconds to seconds, so a thread of its own does it, begun by the first such
//! character. Until it has answered, the character stands as its code point.

use super::installed::{Face, Installed};
use egui::{Context, FallbackRequest, FontData, FontInsert, FontProvider};
use std::collections::HashSet;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Messages on the way, in each direction.
const ROOM: usize = 16;

/// The window's end of the search.
pub struct SystemFonts {
    wanted: Arc<Wanted>,
    found: Receiver<Face>,
}

impl SystemFonts {
    /// Lets `ctx` ask for what its faces lack. Nothing is looked for yet.
    #[must_use]
    pub fn begin(ctx: &Context) -> Self {
        let (answers, found) = sync_channel(ROOM);
        let asked = Asked::by(Thread::Due(answers, ctx.clone()));
        let wanted = Arc::new(Wanted(Mutex::new(asked)));
        ctx.set_font_providers(vec![wanted.clone()]);
        Self { wanted, found }
    }

    /// Puts the faces that were found behind those at hand; a sentence about each, for the log.
    pub fn take_in(&mut self, ctx: &Context) -> Vec<String> {
        let faces: Vec<Face> = self.found.try_iter().collect();
        self.wanted.with(Asked::post);
        if faces.is_empty() {
            return Vec::new();
        }
        let words = faces.iter().map(|face| {
            let (name, for_) = (&face.name, face.wanted_for);
            let size = crate::types::bytes_in_words(face.bytes.as_ref().as_ref().len() as u64);
            format!("{name} ({size}), a typeface of this system, shows {for_} and what else Fovea's own lack.")
        });
        let words = words.collect();
        self.wanted.with(|asked| asked.faces.extend(faces));
        // The toolkit keeps what it was answered, until it is given whom to ask.
        ctx.set_font_providers(vec![self.wanted.clone()]);
        words
    }
}

/// What the toolkit asks. Locked by the thread that paints alone, so nobody waits for it.
struct Wanted(Mutex<Asked>);

struct Asked {
    /// Characters that were looked for, each once.
    characters: HashSet<char>,
    /// Those of them for which there was no room in the queue yet.
    waiting: String,
    /// What was found, the first first.
    faces: Vec<Face>,
    thread: Thread,
}

enum Thread {
    /// Not begun: where its answers go, and whom to wake.
    Due(SyncSender<Face>, Context),
    Runs(SyncSender<String>),
}

impl Wanted {
    fn with<R>(&self, with: impl FnOnce(&mut Asked) -> R) -> R {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl FontProvider for Wanted {
    fn font_for(&self, request: &FallbackRequest<'_>) -> Option<FontInsert> {
        let character = request.cluster.chars().next()?;
        self.with(|asked| {
            if let Some(face) = asked.faces.iter().find(|face| face.has(character)) {
                let data = FontData::from_blob(face.bytes.clone(), face.index);
                return Some(FontInsert::new(&face.key(), data, Vec::new()));
            }
            asked.look_for(character);
            None
        })
    }
}

impl Asked {
    fn by(thread: Thread) -> Self {
        Self { characters: HashSet::new(), waiting: String::new(), faces: Vec::new(), thread }
    }

    fn look_for(&mut self, character: char) {
        if !self.characters.insert(character) {
            return;
        }
        if let Thread::Due(answers, wake) = &self.thread {
            let (wanted, characters) = sync_channel(ROOM);
            let (answers, wake) = (answers.clone(), wake.clone());
            let begun =
                std::thread::Builder::new().name("fonts".into()).spawn(move || search(&characters, &answers, &wake));
            if let Err(e) = begun {
                log::warn!("no thread to look for typefaces: {e}");
            }
            self.thread = Thread::Runs(wanted);
        }
        self.waiting.push(character);
        self.post();
    }

    /// Sends what is waiting, as far as there is room. Without the thread the code points stay.
    fn post(&mut self) {
        let Thread::Runs(wanted) = &self.thread else { return };
        if !self.waiting.is_empty()
            && let Err(TrySendError::Full(back)) = wanted.try_send(std::mem::take(&mut self.waiting))
        {
            self.waiting = back;
        }
    }
}

/// Ends with the window, which is at the other end of both queues.
fn search(characters: &Receiver<String>, answers: &SyncSender<Face>, wake: &Context) {
    let mut installed: Option<Installed> = None;
    let mut found: Vec<Face> = Vec::new();
    while let Ok(first) = characters.recv() {
        let installed = installed.get_or_insert_with(Installed::on_this_system);
        // What a frame lacks arrives together, and each new face lays out all text anew.
        let before = found.len();
        for character in std::iter::once(first).chain(characters.try_iter()).collect::<String>().chars() {
            if !found.iter().any(|face| face.has(character))
                && let Some(face) = installed.face_for(character)
            {
                found.push(face);
            }
        }
        for face in &found[before..] {
            if answers.send(face.clone()).is_err() {
                return;
            }
            wake.request_repaint();
        }
        // Also when nothing was found: there is room for what waits.
        wake.request_repaint();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::{self, Type, bold};
    use egui::FontId;
    use std::io::Write;
    use std::time::{Duration, Instant};

    fn frame(ctx: &Context, text: &str) -> [bool; 3] {
        let mut has = [false; 3];
        let input = egui::RawInput::default();
        let _ = ctx.run_ui(input, |ui| {
            ui.label(text);
            let families = [Type::Body.sans(), FontId::new(13.0, bold()), Type::Body.mono()];
            has = families.map(|font| ui.fonts_mut(|fonts| fonts.has_glyphs(&font, text)));
        });
        has
    }

    #[test]
    fn a_chinese_letter_gets_a_glyph_in_every_family_where_the_system_has_one() {
        if Installed::on_this_system().face_for('中').is_none() {
            // `.ci/run` installs one.
            let line = "a_chinese_letter_gets_a_glyph skipped: no typeface with Chinese letters is installed\n";
            let _ = std::io::stderr().write_all(line.as_bytes());
            return;
        }
        let ctx = Context::default();
        ctx.set_fonts(theme::fonts());
        let mut system = SystemFonts::begin(&ctx);
        assert_eq!(frame(&ctx, "中"), [false; 3], "Fovea's own faces have no Chinese");
        let begun = Instant::now();
        let words = loop {
            let words = system.take_in(&ctx);
            if !words.is_empty() {
                break words;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "no answer");
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(words.iter().any(|sentence| sentence.contains('中')), "{words:?}");
        assert_eq!(frame(&ctx, "中文"), [true; 3]);
    }

    #[test]
    fn the_system_is_asked_once_for_a_character_it_lacks() {
        let (wanted, characters) = sync_channel(2);
        let mut asked = Asked::by(Thread::Runs(wanted));
        "abbacd".chars().for_each(|c| asked.look_for(c));
        assert_eq!(characters.try_iter().collect::<Vec<_>>(), ["a", "b"]);
        asked.post();
        assert_eq!(characters.try_iter().collect::<Vec<_>>(), ["cd"], "what found no room is sent later");
    }
}
