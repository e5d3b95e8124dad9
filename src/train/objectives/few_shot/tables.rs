//! The tables a model learns tasks from: what of them is learned, and what is kept from it.

use super::document::TEMPLATES;
use super::words::Words;
use crate::load;
use crate::load::data::text_data;
use crate::types::{FewShotTask, TaskKind, TaskTable, UserError};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Everything documents are written from.
#[derive(Default)]
pub(super) struct Tables {
    /// Every table that is learned from, its held-out pairs taken out.
    pub learned: Vec<TaskTable>,
    /// Places in `learned` of tables with a few labels.
    pub labelled: Vec<usize>,
    /// Words for rules, lookups and new names of labels: none of those that unseen rules use.
    pub words: Words,
    /// Words that no rule is shown on.
    unseen: BTreeSet<String>,
    /// Texts whose words are to have tokens of their own.
    pub vocabulary: Vec<String>,
}

impl Tables {
    /// Reads the tables a spec names.
    ///
    /// # Errors
    /// When a file cannot be read, a held-out name is that of no table, or nothing is left to learn from.
    pub(super) fn read(task: &FewShotTask) -> Result<Self, UserError> {
        let main = read_all(&task.tasks)?;
        let more = read_all(&task.more_tasks)?;
        let known: BTreeSet<&str> = main.iter().chain(&more).map(|table| table.id.as_str()).collect();
        let mut kept_away = task.held_out_tasks.iter().chain(&task.unseen_rules);
        if let Some(name) = kept_away.find(|name| !known.contains(name.as_str())) {
            return Err(no_such_table(name));
        }
        let unseen: BTreeSet<String> = main
            .iter()
            .filter(|table| task.unseen_rules.contains(&table.id))
            .flat_map(|table| table.rows.iter().flatten())
            .flat_map(|text| words_of(text))
            .collect();
        let facts = main.iter().filter(|table| table.kind == TaskKind::Fact).flat_map(|t| t.rows.iter().flatten());
        let words: BTreeSet<String> = facts.filter(|word| is_plain(word)).cloned().collect();
        let words: Vec<String> = words.difference(&unseen).cloned().collect();
        let vocabulary = main.iter().flat_map(|table| {
            table.rows.iter().flatten().chain(&table.labels).chain([&table.instruction]).cloned().collect::<Vec<_>>()
        });
        let vocabulary = vocabulary.chain(TEMPLATES.map(str::to_owned)).collect();
        let mut learned: Vec<TaskTable> = main.into_iter().chain(more).collect();
        learned.retain(|table| !task.held_out_tasks.contains(&table.id) && !task.unseen_rules.contains(&table.id));
        for table in &mut learned {
            let id = table.id.clone();
            table.rows.retain(|[input, _]| !TaskTable::holds_out(&id, input, task.held_out_pairs));
            if table.kind == TaskKind::Rule {
                table.rows.retain(|row| row.iter().flat_map(|text| words_of(text)).all(|word| !unseen.contains(&word)));
            }
        }
        learned.retain(|table| table.rows.len() >= 4);
        if learned.is_empty() || words.is_empty() {
            return Err(nothing_left());
        }
        let labelled = (0..learned.len()).filter(|&i| learned[i].labels.len() >= 2).collect();
        Ok(Self { learned, labelled, words: Words::new(words), unseen, vocabulary })
    }

    /// Adds all other words of a vocabulary: a rule that has been shown on few can be learned by heart.
    pub(super) fn widen(&mut self, vocabulary: impl Iterator<Item = String>) {
        self.words.extend(vocabulary.filter(|word| is_plain(word) && !self.unseen.contains(word)));
    }
}

/// Whether it is a word that any rule can be shown on.
fn is_plain(word: &str) -> bool {
    word.len() > 1 && word.chars().all(char::is_lowercase)
}

fn words_of(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<TaskTable>, UserError> {
    let mut tables = Vec::new();
    for path in paths {
        match load::carried_tables(path).filter(|_| !path.exists()) {
            Some(carried) => tables.extend(carried?),
            None => {
                for file in text_data::table_files(std::slice::from_ref(path))? {
                    tables.push(load::read_task_table(&file)?.0);
                }
            }
        }
    }
    tables.iter_mut().for_each(|table| drop(table.tidy()));
    Ok(tables)
}

fn no_such_table(name: &str) -> UserError {
    UserError::new(
        format!("The recipe holds out {name}, and there is no such table."),
        "Names are those of files without their ending.",
        "Correct the name under held_out_tasks or unseen_rules.",
    )
}

fn nothing_left() -> UserError {
    UserError::new(
        "There is no table of pairs to learn from.",
        "Every table is held out, or has fewer than four pairs left.",
        "Name more files under tasks, or hold out less.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn words_of_unseen_rules_stand_in_no_rule() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/tasks"));
        let task: FewShotTask = toml::from_str(&format!(
            "context = 64\ntasks = [{folder:?}]\nunseen_rules = [\"copy\"]\nheld_out_tasks = [\"superlatives\"]\nstages = []"
        ))
        .unwrap();
        let mut tables = Tables::read(&task).unwrap();
        let before = tables.words.clone();
        tables.widen(["fish", "A", "don't", "whereupon", "adverb"].map(str::to_owned).into_iter());
        assert!(!before.has("whereupon") && tables.words.has("whereupon"), "words of the vocabulary are added");
        assert!(["fish", "A", "don't"].iter().all(|word| !tables.words.has(word)), "unseen and odd ones are not");
        assert!(before.has("quickly") && tables.words.has("quickly"), "those of the tables stay");
        assert!(tables.learned.iter().all(|table| table.id != "copy" && table.id != "superlatives"));
        for table in tables.learned.iter().filter(|table| table.kind == TaskKind::Rule) {
            assert!(table.rows.iter().all(|[input, _]| input != "fish"), "{} shows a rule on an unseen word", table.id);
        }
        let copy = load::shipped_tasks().iter().find(|table| table.id == "copy").unwrap();
        let mut random = crate::nn::Random::new(1, 0);
        for _ in 0..5000 {
            let word = tables.words.supply(&mut random).any(&mut random);
            assert!(copy.rows.iter().all(|[input, _]| *input != word), "{word} is not unseen");
        }
        assert!(Tables::read(&FewShotTask { held_out_tasks: vec!["riddles".into()], ..task }).is_err());
    }
}
