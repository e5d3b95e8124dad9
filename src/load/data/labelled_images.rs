//! Images with labels in MNIST's format: a folder with IDX files of images to learn from, of such to measure on, or of both.

use super::named_pictures::name_of;
use crate::load::data::data_error::DataError;
use crate::load::digit::idx;
use crate::types::{DataPart, LabelledKind, LabelledRows};
use std::path::Path;

/// True for a folder with such files.
pub(super) fn are_in(folder: &Path) -> bool {
    folder.is_dir() && idx::image_files(folder).iter().any(Option::is_some)
}

/// The folder, where it holds images to measure on beside those to learn from.
pub(super) fn own_test(folder: &Path) -> Option<&Path> {
    idx::image_files(folder).iter().all(Option::is_some).then_some(folder)
}

/// The images of a part of a folder, or all there are where it has one kind only. Their labels are the numbers in the file.
///
/// # Errors
/// When its files cannot be used.
pub(super) fn read_rows(folder: &Path, part: DataPart) -> Result<LabelledRows, DataError> {
    let columns = ["image", "label"].map(str::to_owned);
    let kind = LabelledKind::Pictures;
    let mut rows = LabelledRows { kind, columns: columns.to_vec(), chosen: columns, ..LabelledRows::default() };
    let [of_train, of_test] = idx::image_files(folder);
    let idx::DigitFolder { train, test } = idx::read(folder)?;
    let found = [of_train.zip(train), of_test.zip(test)];
    let [first, second] = if part == DataPart::Test { [1, 0] } else { [0, 1] };
    if let Some((file, set)) = found[first].as_ref().or(found[second].as_ref()) {
        for image in 0..set.len() {
            rows.add(name_of(file, image), &set.label(image).to_string());
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::NamedPictures;
    use crate::load::data::labelled::{read_labelled, read_labelled_rows};
    use crate::types::{LabelledSource, Picture};

    fn idx_file(axes: &[u32], elements: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, axes.len() as u8];
        bytes.extend(axes.iter().flat_map(|n| n.to_be_bytes()));
        bytes.extend(elements);
        bytes
    }

    /// Images of one shade each, `10 · label + place`.
    fn write(folder: &Path, set: &str, labels: &[u8]) {
        let pixels: Vec<u8> = labels.iter().zip(0..).flat_map(|(label, place)| [10 * label + place; 784]).collect();
        let images = idx_file(&[labels.len() as u32, 28, 28], &pixels);
        std::fs::write(folder.join(format!("{set}-images-idx3-ubyte")), images).unwrap();
        let labels = idx_file(&[labels.len() as u32], labels);
        std::fs::write(folder.join(format!("{set}-labels-idx1-ubyte")), labels).unwrap();
    }

    fn source(data: &Path, test_share: f64) -> LabelledSource {
        LabelledSource {
            data: data.to_owned(),
            validation: None,
            test: None,
            text: None,
            label: None,
            validation_share: 0.0,
            test_share,
            seed: 1,
        }
    }

    #[test]
    fn a_folder_with_a_test_is_split_by_its_files_and_each_image_has_a_name() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "train", &[3, 1, 3, 1]);
        let (_, shared) = read_labelled(&source(folder.path(), 0.5)).unwrap();
        assert_eq!([shared.parts[0].len(), shared.parts[2].len()], [2, 2], "a share of what there is");
        write(folder.path(), "t10k", &[1, 3, 3]);
        let (_, data) = read_labelled(&source(folder.path(), 0.5)).unwrap();
        assert_eq!((data.kind, &data.labels[..]), (LabelledKind::Pictures, &["1".to_owned(), "3".to_owned()][..]));
        assert_eq!([data.parts[0].len(), data.parts[2].len()], [4, 3]);
        let classes = |part: usize| data.parts[part].iter().map(|place| data.examples[*place].1).collect::<Vec<_>>();
        assert_eq!([classes(0), classes(2)], [vec![1, 0, 1, 0], vec![0, 1, 1]]);
        let measured = read_labelled_rows(folder.path(), [None, None]).unwrap().rows;
        assert_eq!(measured.len(), 3, "what is measured on is the test");
        let names = data.examples.iter().map(|(name, _)| name.as_str());
        let pictures = NamedPictures::of(names).unwrap();
        let last = &data.examples[data.parts[2][2]].0;
        assert!(last.ends_with("t10k-images-idx3-ubyte#2"), "{last}");
        assert_eq!(pictures.picture(last).unwrap(), Picture { width: 28, height: 28, rgb: [32; 3 * 784].into() });
        assert_eq!(pictures.digit(last).unwrap().0[..], [32.0 / 255.0; 784]);
        assert!(pictures.picture(&last.replace("#2", "#3")).unwrap_err().to_string().contains("3 images"));
    }
}
