//! MNIST-format folders: the four IDX files, plain or gzipped, whatever their names say.
//!
//! IDX is a big-endian header (two zero bytes, element type, number of axes, one length per axis) and then the elements,
//! row-major. Here: unsigned bytes, one axis for labels, three (image, row, column) for images.

use crate::load::data::data_error::DataError;
use crate::load::data::unpacked;
use crate::types::{DIGIT_SIDE, DigitImage};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Pixels of one image.
const PIXELS: usize = DIGIT_SIDE * DIGIT_SIDE;
/// Element type code of unsigned bytes.
const UNSIGNED_BYTE: u8 = 0x08;
/// Elements of the largest file: no set of 28×28 images that fits into memory is anywhere near.
const LARGEST: u64 = 4 << 30;

/// Labelled 28×28 images, one byte a pixel, ink is 255.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigitSet {
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl DigitSet {
    /// A set from pixels (784 an image) and one label in `0..10` an image.
    ///
    /// # Panics
    ///
    /// If the lengths do not fit each other.
    #[must_use]
    pub fn new(pixels: Vec<u8>, labels: Vec<u8>) -> Self {
        assert_eq!(pixels.len(), labels.len() * PIXELS, "784 pixels an image");
        Self { pixels, labels }
    }

    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True when there are no images.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The 784 pixels of image `i`.
    #[must_use]
    pub fn pixels(&self, i: usize) -> &[u8] {
        &self.pixels[i * PIXELS..(i + 1) * PIXELS]
    }

    /// Image `i` as the networks take it.
    #[must_use]
    pub fn image(&self, i: usize) -> DigitImage {
        DigitImage(self.pixels(i).iter().map(|&v| f32::from(v) / 255.0).collect())
    }

    /// The label of image `i`.
    #[must_use]
    pub fn label(&self, i: usize) -> u8 {
        self.labels[i]
    }

    /// The images at these indices, as a set of their own.
    #[must_use]
    pub fn select(&self, indices: &[u32]) -> Self {
        let mut set = Self::default();
        for &i in indices {
            set.pixels.extend_from_slice(self.pixels(i as usize));
            set.labels.push(self.label(i as usize));
        }
        set
    }
}

/// What a folder holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitFolder {
    /// `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`.
    pub train: Option<DigitSet>,
    /// `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`.
    pub test: Option<DigitSet>,
}

/// Images and labels to learn from, and to measure on.
const TRAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];
const TEST: [&str; 2] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
/// Where torchvision puts the files below the folder it is given.
const BELOW: [&str; 3] = ["", "raw", "MNIST/raw"];

/// Reads a folder of IDX files, plain or `.gz`, named with `-` or `.` before `idx`; they may lie in `raw` or `MNIST/raw` below
/// it. One of the two sets may be missing.
///
/// # Errors
///
/// When neither set is there, when one file of a pair is missing, or when a file is no IDX file of 28×28 images or of
/// labels in `0..10`; the file is named.
pub fn read(folder: &Path) -> Result<DigitFolder, DataError> {
    std::fs::read_dir(folder).map_err(|source| DataError::read(folder, source))?;
    let found = place(folder).unwrap_or_else(|| folder.to_owned());
    let train = read_set(&found, TRAIN)?;
    let test = read_set(&found, TEST)?;
    if train.is_none() && test.is_none() {
        return Err(DataError::MissingIdx { folder: folder.to_owned(), name: TRAIN[0] });
    }
    Ok(DigitFolder { train, test })
}

/// The files of images that [`read`] finds in a folder: to learn from, and to measure on.
#[must_use]
pub fn image_files(folder: &Path) -> [Option<PathBuf>; 2] {
    let found = place(folder);
    [TRAIN, TEST].map(|[images, _]| find(found.as_deref()?, images))
}

/// Pixels of all images in one such file, 784 each.
///
/// # Errors
/// When it is no IDX file of 28×28 images.
pub fn read_images(path: &Path) -> Result<Vec<u8>, DataError> {
    let (axes, pixels) = read_idx(path, 3)?;
    if axes[1..] != [DIGIT_SIDE, DIGIT_SIDE] {
        return Err(DataError::bad_idx(path, format!("its images are {}×{} pixels, not 28×28", axes[2], axes[1])));
    }
    Ok(pixels)
}

/// Where below a folder there is any of the files.
fn place(folder: &Path) -> Option<PathBuf> {
    let holds_any = |folder: &PathBuf| [TRAIN, TEST].concat().iter().any(|name| find(folder, name).is_some());
    BELOW.map(|below| folder.join(below)).into_iter().find(holds_any)
}

fn read_set(folder: &Path, [images, labels]: [&'static str; 2]) -> Result<Option<DigitSet>, DataError> {
    let (image_path, label_path) = match (find(folder, images), find(folder, labels)) {
        (Some(images), Some(labels)) => (images, labels),
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err(DataError::MissingIdx { folder: folder.to_owned(), name: images }),
        (Some(_), None) => return Err(DataError::MissingIdx { folder: folder.to_owned(), name: labels }),
    };
    let pixels = read_images(&image_path)?;
    let images = pixels.len() / PIXELS;
    let (_, label_values) = read_idx(&label_path, 1)?;
    if let Some(at) = label_values.iter().position(|&label| label > 9) {
        let why = format!("label {at} is {}, not a digit", label_values[at]);
        return Err(DataError::bad_idx(&label_path, why));
    }
    if images != label_values.len() {
        let labels = label_values.len();
        return Err(DataError::CountMismatch { folder: folder.to_owned(), images, labels });
    }
    if images == 0 {
        return Err(DataError::empty(&image_path, "It holds no images."));
    }
    Ok(Some(DigitSet::new(pixels, label_values)))
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    [name, dotted.as_str()]
        .iter()
        .flat_map(|name| [folder.join(name), folder.join(format!("{name}.gz"))])
        .find(|path| path.is_file())
}

/// Axis lengths and elements of an IDX file of unsigned bytes. No more is read, and unpacked, than its header promises and one
/// byte.
fn read_idx(path: &Path, axes: usize) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let failed = |source| DataError::read(path, source);
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let is_packed = unpacked::is_gzip(file.fill_buf().map_err(failed)?);
    let mut file = unpacked::unpacking(file).map_err(failed)?;
    let mut read = |most: u64| -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let problem = |error| {
            if is_packed { DataError::bad_idx(path, format!("it cannot be unzipped: {error}")) } else { failed(error) }
        };
        file.by_ref().take(most).read_to_end(&mut bytes).map_err(problem)?;
        Ok(bytes)
    };
    let header = 4 + 4 * axes;
    let head = read(header as u64)?;
    if head.len() < header {
        return Err(DataError::bad_idx(path, format!("it has {} bytes, its header alone needs {header}", head.len())));
    }
    if head[..2] != [0, 0] {
        return Err(DataError::bad_idx(path, "it does not begin with the two zero bytes of an IDX file"));
    }
    if head[2] != UNSIGNED_BYTE {
        return Err(DataError::bad_idx(path, format!("its elements are of type {:#04x}, not bytes (0x08)", head[2])));
    }
    if usize::from(head[3]) != axes {
        return Err(DataError::bad_idx(path, format!("it has {} axes, not {axes}", head[3])));
    }
    let lengths: Vec<usize> =
        (head[4..].chunks_exact(4)).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize).collect();
    let promised = lengths.iter().try_fold(1_u64, |product, &n| product.checked_mul(n as u64));
    let Some(promised) = promised.filter(|&bytes| bytes <= LARGEST) else {
        return Err(DataError::bad_idx(path, "its header promises more bytes of data than any set of digits has"));
    };
    let elements = read(promised + 1)?;
    let found = elements.len() as u64;
    if found != promised {
        let found = if found > promised { "more".to_owned() } else { found.to_string() };
        let why = format!("its header promises {promised} bytes of data, it has {found}");
        return Err(DataError::bad_idx(path, why));
    }
    Ok((lengths, elements))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::UserError;
    use std::io::Write;

    fn idx(axes: &[u32], elements: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, UNSIGNED_BYTE, axes.len() as u8];
        bytes.extend(axes.iter().flat_map(|n| n.to_be_bytes()));
        bytes.extend(elements);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        dir
    }

    fn pixels(n: usize) -> Vec<u8> {
        (0..n * PIXELS).map(|i| (i % 251) as u8).collect()
    }

    #[test]
    fn plain_and_gzipped_files_with_either_spelling_are_read() {
        let dir = folder(&[
            ("train-images.idx3-ubyte", idx(&[3, 28, 28], &pixels(3))),
            ("train-labels-idx1-ubyte.gz", gzip(&idx(&[3], &[7, 0, 9]))),
        ]);
        let read = read(dir.path()).unwrap();
        assert_eq!(read.test, None);
        let train = read.train.unwrap();
        assert_eq!((train.len(), train.label(2)), (3, 9));
        assert_eq!(train.pixels(1), &pixels(3)[PIXELS..2 * PIXELS]);
        assert_eq!(train.image(0).0[5], 5.0 / 255.0);
    }

    #[test]
    fn a_file_is_zipped_when_its_content_is_whatever_its_name_says() {
        let shared = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/faults/idx/gz-name-plain-content"));
        assert_eq!(read(shared).unwrap().test.unwrap().len(), 20);
        let dir = folder(&[
            ("t10k-images-idx3-ubyte", gzip(&idx(&[2, 28, 28], &pixels(2)))),
            ("t10k-labels-idx1-ubyte.gz", idx(&[2], &[4, 5])),
        ]);
        let test = read(dir.path()).unwrap().test.unwrap();
        assert_eq!((test.len(), test.label(1), test.pixels(0)), (2, 5, &pixels(2)[..PIXELS]));
    }

    #[test]
    fn torchvision_s_folders_are_looked_into() {
        for below in ["raw", "MNIST/raw"] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(dir.path().join(below)).unwrap();
            std::fs::write(dir.path().join(below).join(TEST[0]), idx(&[1, 28, 28], &pixels(1))).unwrap();
            let error = UserError::from(read(dir.path()).unwrap_err()).to_string();
            assert!(error.contains("raw") && error.contains(TEST[1]), "{error}");
            std::fs::write(dir.path().join(below).join(TEST[1]), idx(&[1], &[3])).unwrap();
            assert_eq!(read(dir.path()).unwrap().test.unwrap().label(0), 3);
        }
    }

    #[test]
    fn no_more_is_unpacked_than_the_header_promises() {
        // Behind what is promised the archive is broken: whoever unpacks it all runs into that.
        let mut packed = gzip(&idx(&[10], &[7; 12]));
        packed.extend(gzip(&[0; 1 << 20]));
        let at = packed.len() - 9;
        packed[at] ^= 0xff;
        let images = ("t10k-images-idx3-ubyte", idx(&[10, 28, 28], &pixels(10)));
        let message = read(folder(&[images, ("t10k-labels-idx1-ubyte.gz", packed)]).path()).unwrap_err().to_string();
        assert!(message.contains("promises 10 bytes of data, it has more"), "{message}");
    }

    #[test]
    fn every_bad_file_is_named_with_its_fault() {
        let good_labels = || ("train-labels-idx1-ubyte", idx(&[2], &[1, 2]));
        let images = |bytes| ("train-images-idx3-ubyte", bytes);
        let good_images = || images(idx(&[2, 28, 28], &pixels(2)));
        let cases = [
            (vec![images(b"hello".to_vec()), good_labels()], "train-images-idx3-ubyte", "header"),
            (vec![images(idx(&[2, 28, 28], &pixels(1))), good_labels()], "train-images-idx3-ubyte", "promises 1568"),
            (vec![images(idx(&[2, 14, 56], &pixels(2))), good_labels()], "train-images-idx3-ubyte", "56×14"),
            (vec![images(idx(&[u32::MAX; 3], &[])), good_labels()], "train-images-idx3-ubyte", "promises"),
            (vec![good_images(), ("train-labels-idx1-ubyte", idx(&[2], &[1, 10]))], "train-labels-idx1-ubyte", "is 10"),
            (vec![good_images(), ("train-labels-idx1-ubyte", idx(&[1], &[1]))], "", "2 images but 1 labels"),
            (vec![good_images()], "", "train-labels-idx1-ubyte"),
            (vec![], "", "train-images-idx3-ubyte"),
            (
                vec![
                    ("train-images-idx3-ubyte.gz", gzip(&idx(&[2, 28, 28], &pixels(2)))[..60].to_vec()),
                    good_labels(),
                ],
                "train-images-idx3-ubyte.gz",
                "unzipped",
            ),
            (vec![images(idx(&[0, 28, 28], &[])), ("train-labels-idx1-ubyte", idx(&[0], &[]))], "", "empty"),
        ];
        for (files, name, fault) in cases {
            let dir = folder(&files);
            let message = read(dir.path()).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains(fault), "{message:?} says nothing of {name} {fault}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let message = read(Path::new("/no/such/folder")).unwrap_err().to_string();
        assert!(message.contains("/no/such/folder"));
    }
}
