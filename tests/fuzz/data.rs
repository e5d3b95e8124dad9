//! Files of data that a person brings: tables of examples in every format and code, and folders of digits.

use fovea::load::data::text_data::read_text;
use fovea::load::digit::idx;
use fovea::load::{DataError, read_decoded, read_labelled_rows, read_task_table};
use fovea::types::{DIGIT_SIDE, Labelled, LabelledReport, PairRows, UserError};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

fn told(error: DataError) -> String {
    UserError::from(error).to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(unit).collect()
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(super::root().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Tables as people and programs write them: separated by tabs and commas, JSON and JSON Lines, in UTF-8 and UTF-16, zipped.
pub fn tables() -> Vec<Vec<u8>> {
    let shipped = files("assets/tasks").into_iter().filter(|path| path.extension().is_some_and(|e| e == "tsv"));
    let paths = files("tests/golden/faults/tables").into_iter().chain(shipped.take(3));
    let mut seeds: Vec<Vec<u8>> = paths.map(|path| fs::read(path).unwrap()).collect();
    let texts = [
        "input,output\nhot,cold\n\"a, b\",\"c \"\"d\"\"\"\n\"two\nlines\",x\n",
        "question\tanswer\tid\nWhat?\tThat.\t1\nWho?\tShe.\t2\n",
        "{\"input\": \"hot\", \"output\": \"cold\"}\n{\"input\": \"up\", \"output\": \"down\"}\n",
        "[[\"hot\", \"cold\"], [\"up\", \"down\"]]",
        "{\"hot\": \"cold\", \"up\": \"down\"}",
        "text,label\ngood,1\nbad,0\nfine,1\npoor,0\ngreat,1\nawful,0\n",
    ];
    for text in texts {
        seeds.push(text.as_bytes().to_vec());
        seeds.push(gzip(text.as_bytes()));
        seeds.push(utf16(text, u16::to_le_bytes));
        seeds.push(utf16(text, u16::to_be_bytes));
    }
    seeds.retain(|seed| table(seed).is_ok());
    assert!(seeds.len() > 24, "{} tables", seeds.len());
    seeds
}

/// Reads a table, and the same text as one to learn from and as rows that are pasted.
pub fn table(input: &[u8]) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("table.tsv");
    fs::write(&path, input).unwrap();
    if let Ok(text) = read_decoded(&path) {
        for [given, wanted] in PairRows::pasted(&text) {
            assert!(given.len() + wanted.len() <= text.len(), "{given:?} and {wanted:?} are more than was pasted");
        }
        let _ = read_text(&path);
    }
    labelled(dir.path(), input);
    let (table, warnings) = read_task_table(&path).map_err(told)?;
    assert!(table.rows.iter().all(|[given, wanted]| !given.is_empty() && !wanted.is_empty()), "{:?}", table.rows);
    assert!(warnings.iter().all(|warning| !warning.to_string().is_empty()));
    Ok(())
}

/// Reads the same as texts with labels, whatever its name says that it is, and splits them.
fn labelled(dir: &Path, input: &[u8]) {
    for name in ["labelled.csv", "labelled.tsv", "labelled.jsonl"] {
        let path = dir.join(name);
        fs::write(&path, input).unwrap();
        let rows = match read_labelled_rows(&path, [None, None]) {
            Ok(rows) => rows,
            Err(error) => {
                assert!(!told(error).is_empty());
                continue;
            }
        };
        assert!(rows.rows.iter().flatten().all(|cell| !cell.trim().is_empty()), "{:?}", rows.rows);
        let count = rows.rows.len();
        let all = [Some(rows), None, None];
        if let Ok(data) = Labelled::split(all.clone(), [0.2, 0.2], 1) {
            assert_eq!(data.parts.iter().map(Vec::len).sum::<usize>(), count);
            let report = LabelledReport::of(&all, &data);
            assert_eq!(report.counts.iter().flatten().sum::<usize>(), count);
            assert_eq!(report.overlaps, [0; 3], "the same text is in one part");
        }
    }
}

const IMAGES: &str = "t10k-images-idx3-ubyte";
const LABELS: &str = "t10k-labels-idx1-ubyte";

fn idx_file(axes: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, axes.len() as u8];
    bytes.extend(axes.iter().flat_map(|length| length.to_be_bytes()));
    bytes.extend(elements);
    bytes
}

fn images(count: u32) -> Vec<u8> {
    let pixels: Vec<u8> = (0..count as usize * DIGIT_SIDE * DIGIT_SIDE).map(|i| (i % 251) as u8).collect();
    idx_file(&[count, DIGIT_SIDE as u32, DIGIT_SIDE as u32], &pixels)
}

fn labels(count: u32) -> Vec<u8> {
    idx_file(&[count], &(0..count).map(|i| (i * 7 % 10) as u8).collect::<Vec<_>>())
}

/// Images in the zipped files.
const USUAL: u32 = 3;

/// Files of images and of labels, zipped and not.
pub fn digits() -> Vec<Vec<u8>> {
    let parted = labels(USUAL);
    let plain = [1, USUAL, 5].into_iter().flat_map(|count| [images(count), labels(count)]);
    plain.chain([gzip(&images(USUAL)), gzip(&parted), [gzip(&parted[..6]), gzip(&parted[6..])].concat()]).collect()
}

/// Reads the file as one of images and as one of labels, each beside a good one of the other kind.
pub fn digit(input: &[u8]) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let read = |images: &[u8], labels: &[u8]| -> Result<(), String> {
        write(dir.path(), images, labels);
        let set = idx::read(dir.path()).map_err(told)?.test.expect("both files are there");
        for place in 0..set.len() {
            assert!(set.label(place) < 10 && set.image(place).0.len() == DIGIT_SIDE * DIGIT_SIDE);
        }
        Ok(())
    };
    // As many as the file says it has, where it says so plainly.
    let said = input.get(4..8).map(|length| u32::from_be_bytes([length[0], length[1], length[2], length[3]]));
    let count = said.filter(|count| (1..100).contains(count)).unwrap_or(USUAL);
    read(input, &labels(count)).or_else(|of_images| read(&images(count), input).map_err(|_| of_images))
}

fn write(dir: &Path, images: &[u8], labels: &[u8]) {
    fs::write(dir.join(IMAGES), images).unwrap();
    fs::write(dir.join(LABELS), labels).unwrap();
}
