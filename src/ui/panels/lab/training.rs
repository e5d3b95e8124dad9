//! The pairs of a task as a text to train on: written into the data folder, and taken to the panel that trains.

use super::desk::Desk;
use crate::types::UserError;
use crate::ui::reader::Reader;
use crate::ui::{Cx, Intent};
use std::path::{Path, PathBuf};

/// The folder of such texts, in the data folder.
const FOLDER: &str = "texts";

/// A text that was written.
struct Written {
    path: PathBuf,
    pairs: usize,
}

/// What is on its way to training.
#[derive(Default)]
pub(super) struct ForTraining {
    writing: Reader<Written>,
}

impl ForTraining {
    /// Writes the pairs as the column that is edited writes them, away from the UI thread.
    pub fn begin(&mut self, desk: &Desk, context: Option<egui::Context>, cx: &mut Cx<'_>) {
        let (text, pairs) = text(desk);
        if pairs == 0 {
            cx.toast("There are no pairs to train on yet.");
            return;
        }
        let Some(folder) = cx.state.folder.clone() else {
            let why = "There is no data folder to keep it in.";
            cx.fail(UserError::new("The pairs were not written as a text.", why, "Set FOVEA_STATE_DIR to a folder."));
            return;
        };
        let id = desk.setup.table.id.clone();
        let wake = move || {
            if let Some(context) = context {
                context.request_repaint();
            }
        };
        let write = move |_: &dyn Fn() -> bool| {
            let path = write(&folder.join(FOLDER), &id, &text)?;
            Ok(Written { path, pairs })
        };
        if let Err(error) = self.writing.start(write, wake) {
            cx.fail(error);
        }
    }

    /// Goes to the panel that trains once the text is written.
    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        match self.writing.poll() {
            Some(Ok(Written { path, pairs })) => {
                cx.intend(Intent::Train(path.clone()));
                cx.toast(format!("Wrote {pairs} pairs to {}", path.display()));
            }
            Some(Err(error)) => cx.fail(error),
            None => {}
        }
    }
}

/// The instruction, then every whole pair as an example of the prompt is written; and how many they are.
fn text(desk: &Desk) -> (String, usize) {
    let side = desk.asked();
    let mut text = String::new();
    if side.says_instruction && !side.instruction.is_empty() {
        text += &format!("{}\n", side.instruction);
    }
    let (before, after) = side.template.split_once("{output}").unwrap_or((&side.template, ""));
    let is_whole = |row: &&[String; 2]| row.iter().all(|cell| !cell.trim().is_empty());
    let mut pairs = 0;
    for [input, output] in desk.setup.table.rows.iter().filter(is_whole) {
        text += &before.replace("{input}", input);
        text += side.name(output);
        text += after;
        text += &side.separator;
        pairs += 1;
    }
    (text, pairs)
}

/// Writes a text under a name of its own: that of the task, with a number where another text has it already.
fn write(folder: &Path, id: &str, text: &str) -> Result<PathBuf, UserError> {
    let clean = |c: char| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let id: String = id.chars().map(clean).take(60).collect();
    let name = if id.is_empty() { "pairs" } else { &id };
    let file = |number: usize| match number {
        1 => folder.join(format!("{name}.txt")),
        number => folder.join(format!("{name}-{number}.txt")),
    };
    let mut number = 1;
    while file(number).exists() {
        if std::fs::read_to_string(file(number)).is_ok_and(|there| there == text) {
            return Ok(file(number));
        }
        number += 1;
    }
    std::fs::create_dir_all(folder).map_err(|e| {
        let what = format!("The folder {} could not be made.", folder.display());
        UserError::new(what, e.to_string(), "Make room, or choose a data folder you may write to.")
    })?;
    super::write(&file(number), text.as_bytes())?;
    Ok(file(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_written_as_the_prompt_writes_examples() {
        let mut desk = Desk::default();
        desk.setup.sides[0].names.insert("positive".into(), "foo".into());
        let (all, pairs) = text(&desk);
        assert_eq!(pairs, desk.setup.table.rows.len());
        assert!(all.starts_with("Is the sentence positive or negative?\n") && all.contains(" = foo\n"), "{all}");
        let prompt = desk.prompt().render().text;
        assert!(prompt.lines().filter(|line| line.contains(" = ")).all(|line| all.contains(line)), "{prompt}");
        desk.setup.sides[0].says_instruction = false;
        assert!(!text(&desk).0.contains("Is the sentence"));
    }

    #[test]
    fn no_text_is_written_over_another() {
        let dir = tempfile::tempdir().unwrap();
        let name = |text: &str| {
            let path = write(&dir.path().join("texts"), "my task", text).unwrap();
            path.file_name().unwrap().to_string_lossy().into_owned()
        };
        assert_eq!([name("a"), name("b"), name("a")], ["my-task.txt", "my-task-2.txt", "my-task.txt"]);
    }
}
