//! Tables as people have them, and what they are told about those that cannot be read.

use super::*;
use crate::types::UserError;
use proptest::prelude::*;

fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<(TaskTable, Vec<TableWarning>), String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read_task_table(&path).map_err(|error| UserError::from(error).to_string())
}

fn pairs(name: &str, bytes: impl AsRef<[u8]>) -> Vec<[String; 2]> {
    read(name, bytes).unwrap().0.rows
}

fn two() -> Vec<[String; 2]> {
    [["rouge, vif", "red"], ["bleu", "blue"]].map(|pair| pair.map(str::to_owned)).into()
}

#[test]
fn every_format_gives_the_same_pairs() {
    for (name, text) in [
        ("own.tsv", "# title: Colours\n# template: {input}: {output}\ninput\toutput\nrouge, vif\tred\nbleu\tblue\n"),
        ("plain.tsv", "rouge, vif\tred\nbleu\tblue\textra\n"),
        ("named.tsv", "id\tanswer\tquestion\r\n1\tred\trouge, vif\r\n2\tblue\tbleu\r\n"),
        ("quoted.tsv", "Text\tLabel\n\"rouge, vif\"\tred\nbleu\tblue\n"),
        ("plain.csv", "\"rouge, vif\",red\nbleu,blue\n"),
        ("named.csv", "\u{feff}prompt,completion\n\"rouge, vif\", red\n\nbleu, blue\n"),
        ("semicolons.csv", "input;output\nrouge, vif;red\nbleu;blue\n"),
        (
            "lines.jsonl",
            "{\"input\": \"rouge, vif\", \"output\": \"red\"}\n\n{\"text\": \"bleu\", \"label\": \"blue\"}\n",
        ),
        ("array.json", "[\n {\"Question\": \"rouge, vif\", \"Answer\": \"red\", \"id\": 3},\n [\"bleu\", \"blue\"]\n]"),
    ] {
        assert_eq!(pairs(name, text), two(), "{name}");
    }
}

#[test]
fn a_file_of_our_own_keeps_what_it_says_of_itself() {
    let (table, warnings) =
        read("mine.tsv", "# title: Colours\n# separator: \\n\\n\ninput\toutput\nrot\tred\n").unwrap();
    assert_eq!((table.id.as_str(), table.title.as_str(), table.separator.as_str()), ("mine", "Colours", "\n\n"));
    assert!(warnings.is_empty());
}

#[test]
fn a_first_line_without_known_names_is_a_pair() {
    let word = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
    assert_eq!(pairs("x.csv", "word,opposite\nbig,small\n"), [word("word", "opposite"), word("big", "small")]);
    assert_eq!(pairs("x.csv", "say \"hi\"\t5\n"), [word("say \"hi\"", "5")]);
    assert_eq!(pairs("x.json", "[{\"input\": 3, \"output\": true}]"), [word("3", "true")]);
}

/// A table of the folder of faults: each is of a kind that was once read wrongly.
fn fault(name: &str) -> Result<(TaskTable, Vec<TableWarning>), String> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/faults/tables"));
    read_task_table(&folder.join(name)).map_err(|error| UserError::from(error).to_string())
}

fn rows<const N: usize>(pairs: [[&str; 2]; N]) -> Vec<[String; 2]> {
    pairs.map(|pair| pair.map(str::to_owned)).into()
}

#[test]
fn a_line_of_sentence_and_label_is_a_header_and_its_answers_are_labels() {
    let (table, warnings) = fault("sentence-label.tsv").unwrap();
    assert_eq!(table.rows, rows([["a fine film", "1"], ["dull and slow", "0"]]));
    assert_eq!((table.labels, table.kind), (vec!["1".to_owned(), "0".to_owned()], TaskKind::Label));
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn no_cell_is_dropped_without_a_word() {
    let error = fault("extra-cell.csv").unwrap_err();
    assert!(error.contains("Line 2 has 3 cells") && error.contains("extra-cell.csv"), "{error}");
}

#[test]
fn quotation_marks_are_taken_off_once() {
    assert_eq!(fault("quoted-quotes.csv").unwrap().0.rows, rows([["\"yes\"", "A"], ["\"a\" and \"b\"", "B"]]));
}

#[test]
fn an_instruction_is_part_of_what_is_asked() {
    let expected = rows([
        ["Name the opposite of hot.", "cold"],
        ["Name the opposite.\nbig", "small"],
        ["Translate to French.\ndog", "chien"],
    ]);
    let (table, warnings) = fault("alpaca.json").unwrap();
    assert_eq!(table.rows, expected);
    assert!(warnings.is_empty(), "{warnings:?}");
    let lines = "{\"instruction\": \"Say six.\", \"output\": \"six\", \"id\": 1}\n";
    let (table, warnings) = read("x.jsonl", lines).unwrap();
    assert_eq!(table.rows, rows([["Say six.", "six"]]));
    assert_eq!(warnings, [TableWarning::ColumnsLeftOut { columns: vec!["id".to_owned()] }]);
}

#[test]
fn a_list_inside_an_object_is_read() {
    assert_eq!(fault("object.json").unwrap().0.rows, rows([["a", "A"], ["b", "B"]]));
    let error = read("two.json", "{\"train\": [], \"test\": []}").unwrap_err();
    assert!(error.contains("2 lists (train, test)"), "{error}");
    let error = read("none.json", "{\n\"hot\": \"cold\"\n}").unwrap_err();
    assert!(error.contains("without a list"), "{error}");
    assert_eq!(pairs("one.json", "{\n\"input\": \"a\",\n\"output\": \"A\"\n}\n"), rows([["a", "A"]]));
    assert_eq!(pairs("lists.jsonl", "[\"a\", \"A\"]\n[\"b\", \"B\"]\n"), rows([["a", "A"], ["b", "B"]]));
    assert_eq!(pairs("mask.tsv", "[MASK]\tA\n[\"b\tB\n"), rows([["[MASK]", "A"], ["[\"b", "B"]]));
}

#[test]
fn what_spreadsheets_write_is_read() {
    assert_eq!(fault("sep.csv").unwrap().0.rows, rows([["a", "A"], ["b", "B"]]));
    assert_eq!(fault("multiline.tsv").unwrap().0.rows, rows([["line one\nline two", "A"], ["b", "B"]]));
    let (little, _) = fault("utf16.tsv").unwrap();
    assert_eq!((little.rows.len(), little.labels.len()), (8, 2));
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/faults/tables/utf16.tsv")).unwrap();
    let swapped: Vec<u8> = bytes.chunks_exact(2).flat_map(|pair| [pair[1], pair[0]]).collect();
    assert_eq!(pairs("utf16.tsv", swapped), little.rows);
}

#[test]
fn a_zipped_table_is_read_and_an_endless_one_is_not() {
    let zip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(pairs("x.csv", zip(b"a,A\nb,B\n")), rows([["a", "A"], ["b", "B"]]));
    let error = read("bomb.csv.gz", zip(&vec![b'a'; 256_000_001])).unwrap_err();
    assert!(error.contains("bomb.csv.gz") && error.contains("more than 256 MB"), "{error}");
    let error = read("cut.csv.gz", &zip(b"a,A\nb,B\n")[..12]).unwrap_err();
    assert!(error.contains("cannot be unzipped"), "{error}");
}

#[test]
fn few_answers_that_come_again_are_labels() {
    let rows = |count: usize| (0..count).map(|i| format!("word {i},{}\n", ["yes", "no"][i % 2])).collect::<String>();
    let (table, _) = read("x.csv", rows(6)).unwrap();
    assert_eq!((table.labels, table.kind), (vec!["yes".to_owned(), "no".to_owned()], TaskKind::Label));
    assert!(read("x.csv", rows(5)).unwrap().0.labels.is_empty(), "one of them is given twice only");
    let many: String = (0..39).map(|i| format!("word {i},{}\n", i % 13)).collect();
    assert!(read("x.csv", many).unwrap().0.labels.is_empty(), "thirteen are too many");
    let (table, warnings) = read("x.csv", "a,b\nc,b\nd,b\n").unwrap();
    assert!(table.labels.is_empty() && warnings == [TableWarning::OneAnswer { output: "b".into() }]);
}

#[test]
fn odd_rows_are_told() {
    let (table, warnings) = read("x.csv", "a,red\nb,\na,reddish\na,red\n").unwrap();
    assert_eq!(table.rows.len(), 3);
    let outputs = vec!["red".to_owned(), "reddish".to_owned()];
    assert_eq!(warnings, [TableWarning::OneSided { rows: 1 }, TableWarning::Conflict { input: "a".into(), outputs },]);
}

#[test]
fn what_cannot_be_read_is_told_with_file_and_line() {
    for (name, bytes, told) in [
        ("empty.csv", b"".as_slice(), "no text"),
        ("blank.tsv", b" \n\n", "no text"),
        ("one.csv", b"a,b\njust one\n", "Line 2 has no comma"),
        ("one.tsv", b"a\tb\nc\td\njust one\n", "Line 3 has no tab"),
        ("own.tsv", b"# title: x\ninput\toutput\nred\n", "Line 3 has no tab"),
        ("sides.csv", b"a,\n,b\n", "No line has both"),
        ("latin.csv", b"a,b\nc,\xe9\n", "Line 2 is not UTF-8"),
        ("page.csv", b"\n<!DOCTYPE HTML>\n<html></html>", "web page"),
        ("bad.jsonl", b"{\"input\": \"a\", \"output\": \"b\"}\n{\"input\": \n", "Line 2 is not JSON"),
        ("other.jsonl", b"{\"input\": \"a\", \"goal\": \"b\"}\n", "Line 1 has no pair"),
        ("deep.json", b"[{\"input\": \"a\", \"output\": [1]}]", "Item 1 holds a list"),
        ("cut.json", b"[{\"input\": \"a\", \"output\": \"b\"},\n", "line 2"),
        ("none.json", b"[]", "No line has both"),
    ] {
        let error = read(name, bytes).unwrap_err();
        assert!(error.contains(name) && error.contains(told), "{name}: {error}");
    }
    let error = UserError::from(read_task_table(Path::new("/nowhere/x.csv")).unwrap_err()).to_string();
    assert!(error.contains("/nowhere/x.csv"), "{error}");
}

#[test]
fn a_file_beyond_any_table_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge.csv");
    // A hole: it takes no room on the disk.
    std::fs::File::create(&path).unwrap().set_len(LARGEST + 1).unwrap();
    let error = UserError::from(read_task_table(&path).unwrap_err()).to_string();
    assert!(error.contains("huge.csv") && error.contains("64 MB"), "{error}");
}

proptest! {
    /// Any text gives a table or a message, and a table has only whole pairs.
    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]{}:\"#<a-c,;\t\n ]{0,60}") {
        if let Ok((table, _)) = read("any", text) {
            prop_assert!(!table.rows.is_empty());
            prop_assert!(table.rows.iter().flatten().all(|cell| !cell.is_empty()));
        }
    }

    /// Pairs written as JSON Lines come back.
    #[test]
    fn pairs_survive_json_lines(pairs in proptest::collection::vec(("[a-zé\"\\\\,\t]{1,8}", "[a-z]{1,5}"), 1..8)) {
        let line = |(input, output): &(String, String)| format!("{}\n", serde_json::json!({ "input": input, "output": output }));
        let expected: Vec<[String; 2]> = pairs.iter()
            .map(|(input, output)| [input.trim().to_owned(), output.clone()])
            .filter(|[input, _]| !input.is_empty())
            .collect();
        match read("x.jsonl", pairs.iter().map(line).collect::<String>()) {
            Ok((table, _)) => prop_assert_eq!(table.rows, expected),
            Err(_) => prop_assert!(expected.is_empty()),
        }
    }
}
