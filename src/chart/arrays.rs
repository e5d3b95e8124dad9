//! Numbers as arrays that other programs open: NumPy's NPZ (format version 1.0 of `numpy.lib.format`, one file an array,
//! stored in a zip archive) and safetensors.

use super::ChartError;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::{BTreeSet, HashMap};
use std::io::{Cursor, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The file formats for arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArrayFormat {
    /// NumPy's archive: `numpy.load(file)["blocks.0.attn.pattern"]`.
    Npz,
    /// `safetensors.numpy.load_file(file)["blocks.0.attn.pattern"]`.
    Safetensors,
}

impl ArrayFormat {
    /// All of them, in the order they are offered.
    pub const ALL: [Self; 2] = [Self::Npz, Self::Safetensors];

    /// The file name extension, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Npz => "npz",
            Self::Safetensors => "safetensors",
        }
    }

    /// The format a file name asks for: NPZ for `.npz`, safetensors for any other.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let is_npz = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz"));
        if is_npz { Self::Npz } else { Self::Safetensors }
    }

    /// The name on a button.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Npz => "NPZ",
            Self::Safetensors => "safetensors",
        }
    }
}

/// The numbers of an array, row-major.
#[derive(Clone, Copy, Debug)]
pub enum ArrayValues<'a> {
    /// Measured values.
    Floats(&'a [f32]),
    /// Ids and counts.
    Integers(&'a [i64]),
}

impl ArrayValues<'_> {
    fn len(self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Integers(values) => values.len(),
        }
    }

    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Floats(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::Integers(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }
}

/// One array under its name.
#[derive(Clone, Debug)]
pub struct Array<'a> {
    /// Such as `blocks.0.attn.pattern`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: ArrayValues<'a>,
}

/// Arrays as one file. `about` is what they are of, in pairs: the metadata of safetensors, and in an NPZ an array `about` of one
/// text, `key: value` a line.
///
/// # Errors
/// [`ChartError::Empty`] without arrays, [`ChartError::Encode`] when a shape does not fit its values or a name comes twice.
pub fn arrays_file(
    arrays: &[Array<'_>],
    about: &[(String, String)],
    format: ArrayFormat,
) -> Result<Vec<u8>, ChartError> {
    if arrays.is_empty() {
        return Err(ChartError::Empty("there are no values"));
    }
    for array in arrays {
        let (wanted, found) = (array.shape.iter().product::<usize>(), array.values.len());
        if wanted != found {
            return Err(ChartError::Encode(format!("{}: {found} values of shape {:?}", array.name, array.shape)));
        }
    }
    let names: BTreeSet<&str> = arrays.iter().map(|array| array.name.as_str()).collect();
    if names.len() < arrays.len() {
        return Err(ChartError::Encode("two arrays have the same name".to_owned()));
    }
    match format {
        ArrayFormat::Npz => npz(arrays, about),
        ArrayFormat::Safetensors => safetensors_file(arrays, about),
    }
}

fn safetensors_file(arrays: &[Array<'_>], about: &[(String, String)]) -> Result<Vec<u8>, ChartError> {
    let refused = |error: safetensors::SafeTensorError| ChartError::Encode(error.to_string());
    let kept: Vec<(&Array<'_>, Vec<u8>)> = arrays.iter().map(|array| (array, array.values.bytes())).collect();
    let view = |(array, bytes): &'_ (&Array<'_>, Vec<u8>)| {
        let dtype = match array.values {
            ArrayValues::Floats(_) => Dtype::F32,
            ArrayValues::Integers(_) => Dtype::I64,
        };
        (array.name.clone(), dtype, array.shape.clone(), bytes.clone())
    };
    let owned: Vec<_> = kept.iter().map(view).collect();
    let views: Result<Vec<_>, _> = owned
        .iter()
        .map(|(name, dtype, shape, bytes)| Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?)))
        .collect();
    let about: HashMap<String, String> = about.iter().cloned().collect();
    safetensors::serialize(views.map_err(refused)?, (!about.is_empty()).then_some(about)).map_err(refused)
}

fn npz(arrays: &[Array<'_>], about: &[(String, String)]) -> Result<Vec<u8>, ChartError> {
    let refused = |error: &dyn std::fmt::Display| ChartError::Encode(error.to_string());
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let mut put = |name: &str, bytes: &[u8]| {
        let is_large = bytes.len() >= u32::MAX as usize;
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(is_large);
        archive.start_file(format!("{name}.npy"), options).map_err(|error| refused(&error))?;
        archive.write_all(bytes).map_err(|error| refused(&error))
    };
    for array in arrays {
        let kind = match array.values {
            ArrayValues::Floats(_) => "<f4",
            ArrayValues::Integers(_) => "<i8",
        };
        put(&array.name, &[npy_header(kind, &array.shape), array.values.bytes()].concat())?;
    }
    if !about.is_empty() {
        let text: Vec<String> = about.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        let letters: Vec<u32> = text.join("\n").chars().map(u32::from).collect();
        let bytes: Vec<u8> = letters.iter().flat_map(|letter| letter.to_le_bytes()).collect();
        put("about", &[npy_header(&format!("<U{}", letters.len()), &[]), bytes].concat())?;
    }
    Ok(archive.finish().map_err(|error| refused(&error))?.into_inner())
}

/// What stands before the values in a file of NumPy's format 1.0, for little-endian values of this kind, such as `<f4`.
///
/// Magic, version, length, and a Python literal that is filled up so that the values begin at a multiple of 64 bytes.
#[must_use]
pub fn npy_header(kind: &str, shape: &[usize]) -> Vec<u8> {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    let shape: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let mut words = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}", shape.trim_end());
    let before = MAGIC.len() + 2;
    let filled = (before + words.len() + 1).next_multiple_of(64) - before - 1;
    words.push_str(&" ".repeat(filled - words.len()));
    words.push('\n');
    let length = u16::try_from(words.len()).expect("a handful of sizes is far below 65,536 characters");
    [MAGIC, &length.to_le_bytes(), words.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn arrays() -> Vec<Array<'static>> {
        vec![
            Array {
                name: "blocks.0.attn.pattern".into(),
                shape: vec![1, 2, 2],
                values: ArrayValues::Floats(&[1.0, 0.0, 0.25, 0.75]),
            },
            Array { name: "ids".into(), shape: vec![2], values: ArrayValues::Integers(&[7, -1]) },
        ]
    }

    fn about() -> Vec<(String, String)> {
        vec![("model".into(), "tiny".into()), ("prompt".into(), "é".into())]
    }

    /// Kind, shape as written and bytes of one array of an archive.
    fn read(file: &[u8], name: &str) -> (String, Vec<u8>) {
        let mut archive = zip::ZipArchive::new(Cursor::new(file)).unwrap();
        let mut bytes = Vec::new();
        archive.by_name(&format!("{name}.npy")).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
        let length = u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
        assert!((10 + length).is_multiple_of(64) && bytes[9 + length] == b'\n');
        (
            String::from_utf8(bytes[10..10 + length].to_vec()).unwrap().trim_end().to_owned(),
            bytes[10 + length..].to_vec(),
        )
    }

    #[test]
    fn an_npz_holds_arrays_as_numpy_writes_them() {
        let file = arrays_file(&arrays(), &about(), ArrayFormat::Npz).unwrap();
        let (header, bytes) = read(&file, "blocks.0.attn.pattern");
        assert_eq!(header, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 2,), }");
        assert_eq!(bytes, [1.0f32, 0.0, 0.25, 0.75].map(f32::to_le_bytes).concat());
        let (header, bytes) = read(&file, "ids");
        assert_eq!(
            (header.as_str(), bytes),
            ("{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", [7i64, -1].map(i64::to_le_bytes).concat())
        );
        let (header, bytes) = read(&file, "about");
        assert_eq!(header, "{'descr': '<U21', 'fortran_order': False, 'shape': (), }");
        let letters = bytes.as_chunks::<4>().0.iter().map(|c| char::from_u32(u32::from_le_bytes(*c)).unwrap());
        assert_eq!(letters.collect::<String>(), "model: tiny\nprompt: é");
    }

    #[test]
    fn safetensors_hold_the_same_with_what_they_are_of() {
        let file = arrays_file(&arrays(), &about(), ArrayFormat::Safetensors).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&file).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap()["model"], "tiny");
        let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
        assert_eq!(tensors.tensor("ids").unwrap().data(), [7i64, -1].map(i64::to_le_bytes).concat());
        assert_eq!(tensors.tensor("blocks.0.attn.pattern").unwrap().shape(), [1, 2, 2]);
    }

    #[test]
    fn a_name_that_comes_twice_is_refused() {
        let twice = [arrays(), arrays()].concat();
        for format in ArrayFormat::ALL {
            let found = arrays_file(&twice, &[], format);
            assert!(matches!(&found, Err(ChartError::Encode(why)) if why.contains("same name")), "{found:?}");
        }
    }

    #[test]
    fn a_shape_that_does_not_fit_is_refused() {
        let wrong = Array { name: "a".into(), shape: vec![3], values: ArrayValues::Floats(&[1.0]) };
        for format in ArrayFormat::ALL {
            let found = arrays_file(std::slice::from_ref(&wrong), &[], format);
            assert!(matches!(&found, Err(ChartError::Encode(why)) if why.starts_with("a: 1 values")), "{found:?}");
            assert!(matches!(arrays_file(&[], &[], format), Err(ChartError::Empty(_))));
        }
    }
}
