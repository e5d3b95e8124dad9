//! Files of labelled texts of every kind.

use super::*;
use std::time::Instant;

fn read(name: &str, content: &[u8], asked: [Option<&str>; 2]) -> Result<LabelledRows, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, content).unwrap();
    read_labelled_rows(&path, asked).map_err(|error| UserError::from(error).to_string())
}

fn pairs(rows: LabelledRows) -> Vec<[String; 2]> {
    rows.rows
}

fn expected(pairs: &[(&str, &str)]) -> Vec<[String; 2]> {
    pairs.iter().map(|(text, label)| [(*text).to_owned(), (*label).to_owned()]).collect()
}

#[test]
fn tables_are_read_with_and_without_names() {
    let content = "id,label,sentence\n1,pos,\"good, and \"\"short\"\"\"\n2,neg,\"two\nlines\"\n\n3,,no label\n4,pos,\n";
    let rows = read("a.csv", content.as_bytes(), [None, None]).unwrap();
    assert_eq!((rows.without_text, rows.without_label), (1, 1));
    assert_eq!(rows.chosen, ["sentence", "label"]);
    assert_eq!(pairs(rows), expected(&[("good, and \"short\"", "pos"), ("two\nlines", "neg")]));
    let marked = [b"\xef\xbb\xbf", "text\tlabel\r\nß\t1\r\nüber\t0\r\n".as_bytes()].concat();
    assert_eq!(pairs(read("a.tsv", &marked, [None, None]).unwrap()), expected(&[("ß", "1"), ("über", "0")]));
    let bare = b"good film\t1\nbad film\t0\nworst film\t0\n";
    for name in ["a.tsv", "a.txt"] {
        let rows = read(name, bare, [None, None]).unwrap();
        assert_eq!(rows.chosen, ["1", "2"], "{name}");
        assert_eq!(rows.rows.len(), 3, "{name}");
    }
}

#[test]
fn columns_can_be_chosen() {
    let content = b"a,b,c\nx,1,first\ny,2,second\n";
    let rows = read("a.csv", content, [Some("c"), Some("b")]).unwrap();
    assert_eq!(
        (rows.columns.as_slice(), pairs(rows.clone())),
        (&["a", "b", "c"].map(str::to_owned)[..], expected(&[("first", "1"), ("second", "2")]))
    );
    assert_eq!(read("a.csv", content, [Some("3"), Some("1")]).unwrap().rows.len(), 3);
    let told = read("a.csv", content, [None, None]).unwrap_err();
    assert!(told.contains("\"a\", \"b\", \"c\"") && told.contains("name the two"), "{told}");
}

#[test]
fn json_lines_are_read() {
    let content =
        b"{\"text\": \"one\", \"label\": 1}\n{\"label\": true, \"text\": \"two\"}\n{\"text\": null, \"label\": 1}\n";
    let rows = read("a.jsonl", content, [None, None]).unwrap();
    assert_eq!(rows.without_text, 1);
    assert_eq!(pairs(rows), expected(&[("one", "1"), ("two", "true")]));
    let told = |content: &str, asked| read("a.jsonl", content.as_bytes(), asked).unwrap_err();
    assert!(told("{\"text\": [1], \"label\": 1}", [None, None]).contains("Line 1 holds a list"));
    assert!(told("{\"text\": \"a\", \"label\": 1}\n{\"text\"", [None, None]).contains("Line 2 is not JSON"));
    assert!(told("{\"text\": \"a\", \"kind\": 1}", [None, None]).contains("which field holds the labels"));
    assert!(told("{\"text\": \"a\", \"label\": 1}", [Some("body"), None]).contains("no field \"body\""));
}

#[test]
fn empty_files_and_texts_are_told() {
    assert!(
        read("a.csv", b"text,label\n,a\n  ,b\nc,\n", [None, None]).unwrap_err().contains("2 have no text, and 1 more")
    );
    assert!(read("a.csv", b"", [None, None]).is_err());
    assert!(read("a.jsonl", b"\n\n", [None, None]).is_err());
}

#[test]
fn tables_of_tasks_with_labels_are_data() {
    let rows = read_labelled_rows(Path::new("assets/tasks/sentiment.tsv"), [None, None]).unwrap();
    let labels: std::collections::BTreeSet<&str> = rows.rows.iter().map(|[_, label]| label.as_str()).collect();
    assert_eq!(labels.into_iter().collect::<Vec<_>>(), ["negative", "positive"]);
    let error = read_labelled_rows(Path::new("assets/tasks/capital-country.tsv"), [None, None]).unwrap_err();
    assert!(error.to_string().contains("no labels"), "{error}");
}

#[test]
fn a_hundred_thousand_rows_are_read_in_two_seconds() {
    let row = |i: usize| format!("{i},\"sentence {i} of a file, long enough to be one\",{}\n", ["a", "b", "c"][i % 3]);
    let content = (0..100_000).map(row).collect::<String>();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("many.csv");
    std::fs::write(&path, format!("id,text,label\n{content}")).unwrap();
    let source = LabelledSource {
        data: path,
        validation: None,
        test: None,
        text: None,
        label: None,
        validation_share: 0.1,
        test_share: 0.1,
        seed: 0,
    };
    let begun = Instant::now();
    let (_, data) = read_labelled(&source).unwrap();
    assert_eq!(data.counts().iter().flatten().sum::<usize>(), 100_000);
    let taken = begun.elapsed();
    assert!(taken.as_secs_f64() < 2.0, "{taken:?}");
}
