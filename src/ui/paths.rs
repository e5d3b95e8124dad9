//! Paths in JSON, those with names that are no text as well: `#[serde(with = "paths::one")]` for an optional one,
//! `paths::several` for a collection.

use std::path::{Path, PathBuf};

/// Stands before the bytes of a path that is no text.
const BYTES: &str = "file-bytes:";

/// A path as a text; [`path`] gives the same path back.
pub(super) fn text(path: &Path) -> String {
    if let Some(text) = path.to_str().filter(|text| !text.starts_with(BYTES)) {
        return text.to_owned();
    }
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    bytes.fold(BYTES.to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// The path that a text stands for.
pub(super) fn path(text: &str) -> PathBuf {
    let digits = text.strip_prefix(BYTES).filter(|digits| digits.is_ascii());
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    match digits.and_then(|digits| digits.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>()) {
        Some(bytes) => of_bytes(bytes),
        None => PathBuf::from(text),
    }
}

#[cfg(unix)]
fn of_bytes(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn of_bytes(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// A path, or none.
pub(super) mod one {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::path::PathBuf;

    pub(in crate::ui) fn serialize<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_deref().map(super::text).serialize(serializer)
    }

    pub(in crate::ui) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(|text| super::path(&text)))
    }
}

/// Paths in any collection.
pub(super) mod several {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::path::PathBuf;

    pub(in crate::ui) fn serialize<'a, C, S: Serializer>(paths: &'a C, serializer: S) -> Result<S::Ok, S::Error>
    where
        &'a C: IntoIterator<Item = &'a PathBuf>,
    {
        serializer.collect_seq(paths.into_iter().map(|path| super::text(path)))
    }

    pub(in crate::ui) fn deserialize<'de, C, D: Deserializer<'de>>(deserializer: D) -> Result<C, D::Error>
    where
        C: FromIterator<PathBuf>,
    {
        Ok(Vec::<String>::deserialize(deserializer)?.iter().map(|text| super::path(text)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_comes_back() {
        let odd = format!("{BYTES}61");
        for plain in ["models/sprout", "/tmp/Zeitung für heute", "", odd.as_str()] {
            assert_eq!(path(&text(Path::new(plain))), Path::new(plain));
        }
        assert_eq!(text(Path::new("models/sprout")), "models/sprout");
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_text_comes_back() {
        use std::os::unix::ffi::OsStrExt;
        let name = Path::new(std::ffi::OsStr::from_bytes(b"/home/caf\xe9/model"));
        assert!(text(name).is_ascii());
        assert_eq!(path(&text(name)), name);
    }
}
