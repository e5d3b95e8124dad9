//! The index of weights that lie in several files: which tensor is in which.

use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::load::tensors::container::Container;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// What an index file says.
pub(in crate::load) struct ShardIndex {
    path: PathBuf,
    /// Names of tensors to names of files.
    file_of: BTreeMap<String, String>,
}

impl ShardIndex {
    /// Reads an index. Names of files that lead out of the folder are refused, and so are those of files of another kind.
    pub(in crate::load) fn read(path: &Path) -> Result<Self, LoadError> {
        let fields = Fields::read(path)?;
        let map = fields.value("weight_map").and_then(serde_json::Value::as_object);
        let map = map.ok_or_else(|| fields.wrong("weight_map", "is not an object"))?;
        if map.is_empty() {
            return Err(fields.wrong("weight_map", "is empty"));
        }
        // model.safetensors.index.json names .safetensors; the other one names files of PyTorch.
        let weights = path.with_extension("").with_extension("");
        let is_safetensors = weights.extension().is_some_and(|end| end == "safetensors");
        let endings: &[&str] = if is_safetensors { &[".safetensors"] } else { &[".bin", ".pt", ".pth"] };
        let entry = |(tensor, file): (&String, &serde_json::Value)| match file.as_str() {
            Some(file) if !file.contains(['/', '\\']) => {
                let field = format!("weight_map.{tensor}");
                let problem = || format!("is {file}, which is no file of weights ({})", endings.join(" or "));
                let is_one = endings.iter().any(|end| file.ends_with(end));
                if is_one { Ok((tensor.clone(), file.to_owned())) } else { Err(fields.wrong(&field, problem())) }
            }
            _ => Err(fields.wrong(&format!("weight_map.{tensor}"), format!("is {file}, not a file name"))),
        };
        Ok(Self { path: path.to_owned(), file_of: map.iter().map(entry).collect::<Result<_, _>>()? })
    }

    /// Every file once, in the folder of the index.
    pub(in crate::load) fn files(&self) -> Result<Vec<PathBuf>, LoadError> {
        let files: BTreeSet<&String> = self.file_of.values().collect();
        files.into_iter().map(|file| self.existing(file)).collect()
    }

    fn existing(&self, file: &str) -> Result<PathBuf, LoadError> {
        let path = self.path.with_file_name(file);
        if path.is_file() {
            return Ok(path);
        }
        let its: Vec<&String> = self.file_of.iter().filter(|(_, f)| *f == file).map(|(tensor, _)| tensor).collect();
        Err(LoadError::MissingShard {
            index: self.path.clone(),
            file: file.to_owned(),
            tensor: its[0].clone(),
            others: its.len() - 1,
        })
    }

    /// The file that a tensor should be in: what the index says, else the index itself.
    pub(in crate::load) fn home_of(&self, tensor: &str) -> PathBuf {
        self.file_of.get(tensor).map_or_else(|| self.path.clone(), |file| self.path.with_file_name(file))
    }
}

/// Fails when two files hold a tensor of the same name: one of them would be used and nobody could tell which.
pub(in crate::load) fn refuse_twice(files: &[Container<'_>]) -> Result<(), LoadError> {
    let mut seen: HashMap<&str, &Path> = HashMap::new();
    let mut names: Vec<(&str, &Path)> =
        files.iter().flat_map(|file| file.names().into_iter().map(|name| (name, file.path))).collect();
    names.sort_unstable(); // The same complaint every time.
    for (name, path) in names {
        if let Some(first) = seen.insert(name, path) {
            let [first, second] = [first, path].map(Path::to_path_buf);
            return Err(LoadError::DuplicateTensor { name: name.to_owned(), first, second });
        }
    }
    Ok(())
}
