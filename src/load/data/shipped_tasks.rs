//! The few-shot tasks that come with Fovea, from `assets/tasks`.

use crate::types::TaskTable;
use std::sync::LazyLock;

macro_rules! files {
    ($($id:literal,)*) => {
        &[$(($id, include_str!(concat!("../../../assets/tasks/", $id, ".tsv"))),)*]
    };
}

/// File names without their ending, and the files.
const FILES: &[(&str, &str)] = files![
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_of_the_folder_is_listed() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/tasks")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let files: BTreeSet<String> = names.filter_map(|name| name.strip_suffix(".tsv").map(str::to_owned)).collect();
        let listed: BTreeSet<String> = FILES.iter().map(|(id, _)| (*id).to_owned()).collect();
        assert_eq!(files, listed);
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
