//! Adapters that a test may spoil: their tensors by name, and their settings.

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize_to_file};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The golden adapter of this name.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/adapters").join(name)
}

/// A copy of an adapter that a test may spoil: its tensors by name, and its settings.
pub struct Copy {
    dir: tempfile::TempDir,
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    pub settings: serde_json::Value,
}

impl Copy {
    pub fn of(name: &str) -> Self {
        let bytes = std::fs::read(folder(name).join("adapter_model.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let read = tensors.iter().map(|(name, tensor)| {
            let values = tensor.data().as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
            (name.to_owned(), (tensor.shape().to_vec(), values))
        });
        let settings = std::fs::read_to_string(folder(name).join("adapter_config.json")).unwrap();
        Self {
            dir: tempfile::tempdir().unwrap(),
            tensors: read.collect(),
            settings: serde_json::from_str(&settings).unwrap(),
        }
    }

    pub fn write(&self) -> &Path {
        let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = (self.tensors.iter())
            .map(|(name, (shape, values))| (name, shape, values.iter().flat_map(|x| x.to_le_bytes()).collect()))
            .collect();
        let views = bytes.iter().map(|(name, shape, bytes)| {
            ((*name).clone(), TensorView::new(Dtype::F32, (*shape).clone(), bytes).unwrap())
        });
        serialize_to_file(views, None::<HashMap<String, String>>, &self.dir.path().join("adapter_model.safetensors"))
            .unwrap();
        std::fs::write(self.dir.path().join("adapter_config.json"), self.settings.to_string()).unwrap();
        self.dir.path()
    }
}
