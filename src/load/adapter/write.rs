//! What a run learns of an adapter: put into a network, taken out of it, and written as PEFT reads it.

use super::config;
use super::matrices::{Matrix, MatrixKind, Named};
use super::pattern::ends_with;
use super::read::{Adapter, Change, ENDS, Matrix2, PREFIX, last};
use crate::load::error::LoadError;
use crate::load::tensors::container::ADAPTER_FILE;
use crate::load::tensors::weights::{StoredTensor, write_tensors};
use crate::nn::{CausalLm, LowRank, Weight};
use crate::types::{AdapterInfo, AdapterSetting, LoraSpec, Precision};
use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use std::path::{Path, PathBuf};

/// The last parts of the paths of the matrices that can be changed, each once, in the order of a block.
#[must_use]
pub fn lora_targets(lm: &CausalLm) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for matrix in lm.clone().matrices().iter().filter(|matrix| matrix.kind == MatrixKind::Linear) {
        for (module, _) in &matrix.modules {
            if names.iter().all(|name| name != last(module)) {
                names.push(last(module).to_owned());
            }
        }
    }
    names
}

/// A network that learns nothing but low-rank changes of the matrices a spec names: its own matrices stay as they are, also in half
/// precision and in blocks. `draw` gives so many numbers in −1..1 for A of the matrix with this number; B is zero, so that
/// the network begins as its base.
///
/// # Errors
/// When a target names no matrix.
pub fn with_lora(
    lm: &CausalLm,
    spec: &LoraSpec,
    mut draw: impl FnMut(usize, usize) -> Vec<f32>,
) -> Result<CausalLm, LoadError> {
    // A run that failed may have left what it was learning.
    let mut net = merged(lm);
    for target in spec.targets.iter().filter(|target| *target != LoraSpec::ALL_LINEAR) {
        let known = net.matrices();
        let mut modules = known.iter().filter(|m| m.kind == MatrixKind::Linear).flat_map(|m| &m.modules);
        if !modules.any(|(module, _)| ends_with(module, target)) {
            return Err(LoadError::NoTarget { name: target.clone(), known: lora_targets(lm) });
        }
    }
    let mut place = 0;
    for matrix in net.matrices() {
        let Matrix { modules, weight, kind, .. } = matrix;
        let ([_, inputs], device) = (weight.dims(), weight.device());
        let tensor = |values: Vec<f32>, shape: [usize; 2]| {
            Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &device))
        };
        let (mut first, mut changes) = (0, Vec::new());
        for (module, rows) in modules {
            let named = |target: &String| target == LoraSpec::ALL_LINEAR || ends_with(&module, target);
            if kind == MatrixKind::Linear && spec.targets.iter().any(named) {
                // Uniform within 1/√in: what kaiming_uniform with a = √5 gives (He et al. 2015).
                let bound = (inputs as f32).sqrt().recip();
                let a = draw(place, spec.rank * inputs).into_iter().map(|x| x * bound).collect();
                changes.push(LowRank {
                    name: last(&module).to_owned(),
                    rows: first..first + rows,
                    a: tensor(a, [spec.rank, inputs]),
                    b: tensor(vec![0.0; rows * spec.rank], [rows, spec.rank]),
                    scale: spec.scale() as f32,
                });
                place += 1;
            }
            first += rows;
        }
        *weight = weight.clone().fixed(changes);
    }
    Ok(net)
}

/// A network with what it learns added to its weights: what is measured again and again is measured faster so.
#[must_use]
pub fn merged(lm: &CausalLm) -> CausalLm {
    let mut net = lm.clone();
    if !net.has_fixed_weights() {
        return net;
    }
    for Matrix { weight, .. } in net.matrices() {
        if let Weight::Fixed(fixed) = &*weight {
            *weight = if fixed.changes().is_empty() { fixed.base() } else { weight.val().into() };
        }
    }
    net
}

/// What a network has learned beside its base, and that base.
pub(in crate::load) fn taken_out(lm: &CausalLm, info: AdapterInfo) -> (Adapter, CausalLm) {
    let (mut base, mut found) = (lm.clone(), Vec::new());
    for Matrix { modules, weight, .. } in base.matrices() {
        let Weight::Fixed(fixed) = &*weight else { continue };
        let mut first = 0;
        for (module, rows) in modules {
            for change in fixed.changes().iter().filter(|change| change.rows.start == first) {
                let matrix = |param: &Param<Tensor<2>>| Matrix2 {
                    shape: param.dims(),
                    values: param.val().into_data().iter::<f32>().collect(),
                };
                let (a, b, scale) = (matrix(&change.a), matrix(&change.b), change.scale);
                found.push(Change { module: module.clone(), of_table: false, a, b, scale });
            }
            first += rows;
        }
        *weight = fixed.base();
    }
    (Adapter::learned(found, info), base)
}

impl Adapter {
    /// The adapter that a network has learned, and the network without it.
    #[must_use]
    pub fn learned_by(lm: &CausalLm, spec: &LoraSpec, base: Option<String>) -> (Self, CausalLm) {
        let info = AdapterInfo {
            name: String::new(),
            path: PathBuf::new(),
            base,
            rank: spec.rank,
            alpha: spec.alpha,
            rank_stabilised: spec.rank_stabilised,
            is_varied: false,
            tensors: 0,
            matrices: 0,
            parameters: 0,
            is_identity: false,
            setting: AdapterSetting::default(),
        };
        taken_out(lm, info)
    }
}

/// Writes an adapter that was learned here as a folder that PEFT opens: adapter_model.safetensors first, whole or not at all,
/// then adapter_config.json.
///
/// # Errors
/// When the folder cannot be made or a file cannot be written.
pub fn write_adapter(
    adapter: &Adapter,
    spec: &LoraSpec,
    lm: &CausalLm,
    precision: Precision,
    dir: &Path,
) -> Result<(), LoadError> {
    std::fs::create_dir_all(dir).map_err(|source| LoadError::Write { path: dir.to_owned(), source })?;
    let mut tensors = Vec::new();
    for Change { module, a, b, .. } in adapter.changes() {
        for (end, Matrix2 { shape, values }) in ENDS[0].iter().zip([a, b]) {
            let tensor = StoredTensor { shape: shape.to_vec(), values: values.clone() };
            tensors.push((format!("{PREFIX}{module}{end}"), tensor));
        }
    }
    write_tensors(&tensors, precision, &dir.join(ADAPTER_FILE))?;
    // The projections of GPT-2 are turned in its files, and nobody else's.
    let turned = matches!(lm, CausalLm::Gpt2(_));
    config::write(dir, spec, adapter.info.base.as_deref().unwrap_or_default(), turned)
}
