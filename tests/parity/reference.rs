//! Golden values, and how far others are from them.

use fovea::types::Site;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub fn golden_dir(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The tensors of one safetensors file. Token ids are far below 2²⁴, so F32 holds them exactly.
pub struct Reference(BTreeMap<String, (Vec<usize>, Vec<f32>)>);

impl Reference {
    pub fn read(name: &str) -> Self {
        Self::open(&golden_dir(name).join("reference.safetensors"))
    }

    pub fn open(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let value = |tensor: &safetensors::tensor::TensorView<'_>, word: &[u8; 4]| match tensor.dtype() {
            Dtype::F32 => f32::from_le_bytes(*word),
            Dtype::I32 => i32::from_le_bytes(*word) as f32,
            other => panic!("unexpected element type {other:?}"),
        };
        let read = tensors.iter().map(|(name, tensor)| {
            let values = tensor.data().as_chunks().0.iter().map(|word| value(&tensor, word)).collect();
            (name.to_owned(), (tensor.shape().to_vec(), values))
        });
        Self(read.collect())
    }

    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    pub fn values(&self, name: &str) -> &[f32] {
        &self.0.get(name).unwrap_or_else(|| panic!("no golden value named {name}")).1
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Shape and values.
    pub fn tensor(&self, name: &str) -> (&[usize], &[f32]) {
        let (shape, values) = self.0.get(name).unwrap_or_else(|| panic!("no golden value named {name}"));
        (shape, values)
    }

    pub fn ids(&self, name: &str) -> Vec<u32> {
        self.values(name).iter().map(|&x| x as u32).collect()
    }

    /// One row of the token ids.
    pub fn sequence(&self, row: usize) -> Vec<u32> {
        let length = self.0["ids"].0[1];
        self.ids("ids")[row * length..(row + 1) * length].to_vec()
    }

    pub fn has_site(&self, site: Site) -> bool {
        self.0.contains_key(&format!("site.{site}"))
    }

    pub fn site(&self, site: Site) -> (&[usize], &[f32]) {
        self.tensor(&format!("site.{site}"))
    }

    pub fn site_count(&self) -> usize {
        self.0.keys().filter(|name| name.starts_with("site.")).count()
    }

    pub fn gradient_names(&self) -> Vec<String> {
        self.0.keys().filter_map(|name| name.strip_prefix("grad.")).map(str::to_owned).collect()
    }
}

/// The largest difference between two tensors.
pub struct Difference {
    ours: f32,
    theirs: f32,
    index: usize,
    scale: f32,
}

impl Difference {
    /// `None` when all values agree within `tolerance` times the largest finite magnitude (masked scores are the lowest
    /// finite number on both sides and must agree exactly).
    pub fn beyond(ours: &[f32], theirs: &[f32], tolerance: f32) -> Option<Self> {
        assert_eq!(ours.len(), theirs.len(), "number of values");
        let scale = theirs.iter().filter(|x| **x > f32::MIN).fold(0.0f32, |m, x| m.max(x.abs()));
        let error = |i: usize| if ours[i] == theirs[i] { 0.0 } else { (ours[i] - theirs[i]).abs() };
        let index = (0..ours.len()).max_by(|&a, &b| error(a).total_cmp(&error(b)))?;
        // Written so that a NaN is a difference.
        let agrees = error(index) <= tolerance * scale;
        (!agrees).then(|| Self { ours: ours[index], theirs: theirs[index], index, scale })
    }
}

impl Difference {
    /// The largest difference between values, relative to the largest finite magnitude.
    pub fn relative(ours: &[f32], theirs: &[f32]) -> f32 {
        let scale = theirs.iter().filter(|x| **x > f32::MIN).fold(0.0f32, |m, x| m.max(x.abs()));
        ours.iter().zip(theirs).filter(|(a, b)| a != b).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f32::max)
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ours, theirs, index, scale } = self;
        write!(f, "value {index} is {ours}, transformers has {theirs} (largest {scale})")
    }
}
