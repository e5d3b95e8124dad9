//! The few-shot tasks that come with Fovea, from `assets/tasks`, and the tables of `assets/unseen-rules`.

use crate::load::data::data_error::DataError;
use crate::load::data::task_file;
use crate::types::TaskTable;
use std::path::Path;
use std::sync::LazyLock;

macro_rules! files {
    ($folder:literal: $($id:literal,)*) => {
        &[$(($id, include_str!(concat!("../../../", $folder, "/", $id, ".tsv"))),)*]
    };
}

/// Where a recipe finds [`FILES`] and [`UNSEEN`].
const FOLDERS: [(&str, &[(&str, &str)]); 2] = [("assets/tasks", FILES), ("assets/unseen-rules", UNSEEN)];

/// Tables that use words no rule of the shipped tasks is shown on: file names without their ending, and the files.
const UNSEEN: &[(&str, &str)] = files![
    "assets/unseen-rules":
    "unseen-capitalise",
    "unseen-choose-first",
    "unseen-choose-last",
    "unseen-choose-middle",
    "unseen-copy",
    "unseen-double-word",
    "unseen-reverse-pair",
];

/// File names without their ending, and the files.
const FILES: &[(&str, &str)] = files![
    "assets/tasks":
    "add-plus",
    "adjective-noun",
    "adverbs",
    "alive",
    "animal-among",
    "animal-class",
    "animal-home",
    "animal-sound",
    "animal-young",
    "antonyms",
    "capital-country",
    "capitalise",
    "category",
    "choose-first",
    "choose-last",
    "choose-middle",
    "colour-among",
    "comparatives",
    "copy",
    "country-capital",
    "country-continent",
    "country-currency",
    "country-language",
    "country-nationality",
    "de-en-animals",
    "de-en-colours-numbers",
    "de-en-food",
    "double-number",
    "double-word",
    "emotion",
    "en-de-adjectives",
    "en-de-nouns",
    "en-de-verbs",
    "en-es-adjectives",
    "en-es-nouns",
    "en-es-verbs",
    "en-fr-adjectives",
    "en-fr-nouns",
    "en-fr-verbs",
    "es-en-animals",
    "es-en-colours-numbers",
    "es-en-food",
    "even-odd",
    "first-letter",
    "food-among",
    "formality",
    "fr-en-animals",
    "fr-en-colours-numbers",
    "fr-en-food",
    "larger",
    "last-letter",
    "next-in-numbers",
    "next-letter",
    "next-number",
    "noun-verb",
    "number-word",
    "object-colour",
    "object-material",
    "participles",
    "past-participles",
    "past-tense",
    "place-found",
    "plurals",
    "previous-number",
    "profession-tool",
    "profession-verb",
    "profession-workplace",
    "question-type",
    "reverse-pair",
    "rhyme",
    "sentence-kind",
    "sentiment",
    "smaller",
    "spell",
    "subtract",
    "superlatives",
    "synonyms",
    "tense",
    "third-person",
    "topic",
    "verb-among",
    "verb-opposites",
    "verb-person",
    "vowel-first",
    "word-length",
];

static TASKS: LazyLock<Vec<TaskTable>> = LazyLock::new(|| {
    let read = |(id, text): &(&str, &str)| {
        TaskTable::parse_tsv(id, text).unwrap_or_else(|why| panic!("assets/tasks/{id}.tsv: {why}")).0
    };
    FILES.iter().map(read).collect()
});

/// Every shipped task, by name.
#[must_use]
pub fn shipped_tasks() -> &'static [TaskTable] {
    &TASKS
}

/// The tables that a recipe's path stands for where there is no such path: a shipped folder of them, or one of its files. Those
/// of a folder come as their files do when it is read.
pub(crate) fn carried_tables(path: &Path) -> Option<Result<Vec<TaskTable>, DataError>> {
    let of = |folder: &str, (id, text): &(&str, &str)| {
        task_file::table_of(&Path::new(folder).join(id).with_extension("tsv"), text).map(|(table, _)| table)
    };
    let (folder, files) = FOLDERS.iter().find(|(folder, _)| path.starts_with(folder))?;
    if path == Path::new(folder) {
        let mut files = files.to_vec();
        files.sort_by_key(|(id, _)| format!("{id}.tsv"));
        return Some(files.iter().map(|file| of(folder, file)).collect());
    }
    let file = files.iter().find(|(id, _)| path == Path::new(folder).join(id).with_extension("tsv"))?;
    Some(of(folder, file).map(|table| vec![table]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::data::text_data::table_files;
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    #[test]
    fn every_file_of_the_folder_is_listed() {
        for (folder, files) in FOLDERS {
            let there = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
            let names = there.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
            let there: BTreeSet<String> =
                names.filter_map(|name| name.strip_suffix(".tsv").map(str::to_owned)).collect();
            let listed: BTreeSet<String> = files.iter().map(|(id, _)| (*id).to_owned()).collect();
            assert_eq!(there, listed, "{folder}");
        }
    }

    #[test]
    fn carried_tables_are_those_of_the_files() {
        for (folder, files) in FOLDERS {
            let there = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let read = |path: &PathBuf| task_file::read_task_table(path).unwrap().0;
            let expected: Vec<TaskTable> = table_files(&[there]).unwrap().iter().map(read).collect();
            assert_eq!(carried_tables(Path::new(folder)).unwrap().unwrap(), expected);
            let one = Path::new(folder).join(files[3].0).with_extension("tsv");
            assert_eq!(carried_tables(&one).unwrap().unwrap()[0].id, files[3].0);
        }
        for other in ["assets", "assets/tasks/nothing.tsv", "tasks", "/assets/tasks"] {
            assert!(carried_tables(Path::new(other)).is_none(), "{other}");
        }
    }

    #[test]
    fn tasks_are_large_and_clean() {
        assert!(shipped_tasks().len() >= 40);
        for table in shipped_tasks() {
            let mut copy = table.clone();
            assert!(copy.tidy().is_empty(), "{}: {:?}", table.id, table.clone().tidy());
            assert!(table.rows.len() >= 60, "{} has {} pairs", table.id, table.rows.len());
            assert!(!table.instruction.is_empty() && !table.group.is_empty(), "{} does not say what to do", table.id);
            assert!(table.template.contains("{input}") && table.template.ends_with("{output}"), "{}", table.id);
            let known = |output| table.labels.is_empty() || table.labels.contains(output);
            assert!(table.rows.iter().all(|[_, output]| known(output)), "{}: an answer is no label", table.id);
        }
    }
}
