//! A fitted lens as a file: `J.L` of `[D, D]` for each block L but the last, with what it is of as metadata.

use crate::load::error::LoadError;
use crate::load::file;
use crate::load::tensors::element_type::ElementType;
use crate::types::JacobianLens;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use std::collections::HashMap;
use std::path::Path;

/// Reads a lens.
///
/// # Errors
/// When it is no safetensors file, says not what a lens says, or a matrix is missing, of another shape, or holds what is no number.
pub fn read_lens(path: &Path) -> Result<JacobianLens, LoadError> {
    let bytes = file::read(path)?;
    let damaged = |source| LoadError::Safetensors { path: path.to_owned(), source };
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(damaged)?;
    let about: HashMap<String, String> = metadata.metadata().clone().unwrap_or_default();
    let text = |key: &str| {
        about.get(key).cloned().ok_or_else(|| LoadError::Field {
            path: path.to_owned(),
            field: key.to_owned(),
            problem: "is missing from its metadata, so it is no fitted lens".to_owned(),
        })
    };
    let number = |key: &str| {
        text(key)?.parse::<usize>().map_err(|_| LoadError::Field {
            path: path.to_owned(),
            field: key.to_owned(),
            problem: "is no number".to_owned(),
        })
    };
    let width = number("d_model")?;
    let matrices = (0..tensors.len()).map(|layer| matrix(path, &tensors, layer, width)).collect::<Result<_, _>>()?;
    let halves = about.get("halves_differ").map(String::as_str).unwrap_or_default();
    Ok(JacobianLens {
        model: text("model")?,
        sha256: text("sha256")?,
        width,
        matrices,
        passages: number("n_prompts")?,
        tokens: number("tokens")?,
        source: text("passages")?,
        halves: halves.split(',').filter_map(|share| share.parse().ok()).collect(),
    })
}

/// Writes a lens.
///
/// # Errors
/// When the file cannot be written.
pub fn write_lens(path: &Path, lens: &JacobianLens) -> Result<(), LoadError> {
    let bytes: Vec<Vec<u8>> =
        lens.matrices.iter().map(|values| values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let damaged = |source| LoadError::Safetensors { path: path.to_owned(), source };
    let views = bytes
        .iter()
        .enumerate()
        .map(|(layer, bytes)| Ok((format!("J.{layer}"), TensorView::new(Dtype::F32, vec![lens.width; 2], bytes)?)));
    let views: Result<Vec<_>, SafeTensorError> = views.collect();
    let about: HashMap<String, String> = lens.about().into_iter().collect();
    let file = safetensors::serialize(views.map_err(damaged)?, Some(about)).map_err(damaged)?;
    crate::disk::write(path, &file).map_err(|source| LoadError::Write { path: path.to_owned(), source })
}

fn matrix(path: &Path, tensors: &SafeTensors<'_>, layer: usize, width: usize) -> Result<Vec<f32>, LoadError> {
    let name = format!("J.{layer}");
    let missing = |_| LoadError::MissingTensor { path: path.to_owned(), name: name.clone() };
    let view = tensors.tensor(&name).map_err(missing)?;
    if view.shape() != [width, width] {
        let (expected, found) = (vec![width, width], view.shape().to_vec());
        return Err(LoadError::WrongShape { path: path.to_owned(), name, expected, found });
    }
    if view.dtype() != Dtype::F32 {
        let found = ElementType::Single(view.dtype()).to_string();
        return Err(LoadError::WrongDtype { path: path.to_owned(), name, found });
    }
    let values = view.data().chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    let values: Vec<f32> = values.collect();
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(LoadError::NotFinite { path: path.to_owned(), name, index, value: values[index] }),
        None => Ok(values),
    }
}
