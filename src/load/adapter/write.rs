//! What a run learns of an adapter: put into a network, taken out of it, and written as PEFT reads it.

use super::classes::AdapterClasses;
use super::config::{self, Written};
use super::matrices::{Matrix, MatrixKind, Named, block_of, learns_changes};
use super::pattern::ends_with;
use super::read::{Adapter, Change, ENDS, Matrix2, PREFIX, Whole, last};
use crate::load::error::LoadError;
use crate::load::tensors::container::ADAPTER_FILE;
use crate::load::tensors::weights::{StoredTensor, write_tensors};
use crate::nn::{LowRank, Weight};
use crate::types::{AdapterInfo, AdapterSetting, Architecture, LoraSpec, ModelKind, Precision, Problem};
use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use std::path::{Path, PathBuf};

/// The last parts of the paths of the matrices that can be changed, each once, in the order of a block.
#[must_use]
pub fn lora_targets<N: Named + Clone>(net: &N) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for matrix in net.clone().matrices().iter().filter(|matrix| matrix.kind == MatrixKind::Linear) {
        for (module, _) in &matrix.modules {
            let name = N::other_name(module).unwrap_or_else(|| module.clone());
            if names.iter().all(|known| known != last(&name)) {
                names.push(last(&name).to_owned());
            }
        }
    }
    names
}

/// A network that learns nothing but low-rank changes of the matrices a spec names, and what stands between a body and classes as a
/// whole: its other matrices stay as they are, also in half precision and in blocks. Blocks before `first` are left alone. `draw` gives
/// so many numbers in −1..1 for A of the matrix with this number; B is zero, so that the network begins as its base.
///
/// # Errors
/// When a target names no matrix.
pub fn with_lora<N: Named + Clone>(
    net: &N,
    spec: &LoraSpec,
    first: usize,
    mut draw: impl FnMut(usize, usize) -> Vec<f32>,
) -> Result<N, LoadError> {
    // A run that failed may have left what it was learning.
    let mut net = merged(net);
    if let (Some(name), true) = (spec.targets.first(), lora_targets(&net).is_empty()) {
        return Err(LoadError::NoTarget { name: name.clone(), known: Vec::new() });
    }
    for target in spec.targets.iter().filter(|target| *target != LoraSpec::ALL_LINEAR) {
        let known = net.matrices();
        let mut modules = known.iter().filter(|m| m.kind == MatrixKind::Linear).flat_map(|m| &m.modules);
        if !modules.any(|(module, _)| is_named::<N>(module, target)) {
            drop(known);
            return Err(LoadError::NoTarget { name: target.clone(), known: lora_targets(&net) });
        }
    }
    let mut place = 0;
    for matrix in net.matrices() {
        let Matrix { modules, weight, kind, .. } = matrix;
        if kind == MatrixKind::Classes {
            continue;
        }
        let ([_, inputs], device) = (weight.dims(), weight.device());
        let tensor = |values: Vec<f32>, shape: [usize; 2]| {
            Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &device))
        };
        let (mut row, mut changes) = (0, Vec::new());
        for (module, rows) in modules {
            let named = |target: &String| target == LoraSpec::ALL_LINEAR || is_named::<N>(&module, target);
            let is_wanted = kind == MatrixKind::Linear && block_of(&module).is_none_or(|block| block >= first);
            if is_wanted && spec.targets.iter().any(named) {
                // Uniform within 1/√in: what kaiming_uniform with a = √5 gives (He et al. 2015).
                let bound = (inputs as f32).sqrt().recip();
                let a = draw(place, spec.rank * inputs).into_iter().map(|x| x * bound).collect();
                changes.push(LowRank {
                    name: last(&module).to_owned(),
                    rows: row..row + rows,
                    a: tensor(a, [spec.rank, inputs]),
                    b: tensor(vec![0.0; rows * spec.rank], [rows, spec.rank]),
                    scale: spec.scale() as f32,
                });
                place += 1;
            }
            row += rows;
        }
        *weight = weight.clone().fixed(changes);
    }
    Ok(net)
}

/// True when a target names a module by one of its names.
fn is_named<N: Named>(module: &str, target: &str) -> bool {
    ends_with(module, target) || N::other_name(module).is_some_and(|other| ends_with(&other, target))
}

/// What a module is called in the file: as the targets call it, else as transformers does now.
fn written_name<N: Named>(module: &str, targets: &[String]) -> String {
    let is_target = targets.iter().any(|target| ends_with(module, target));
    N::other_name(module).filter(|_| !is_target).unwrap_or_else(|| module.to_owned())
}

/// A network with what it learns added to its weights: what is measured again and again is measured faster so.
#[must_use]
pub fn merged<N: Named + Clone>(net: &N) -> N {
    let mut net = net.clone();
    if !learns_changes(&net) {
        return net;
    }
    for Matrix { weight, .. } in net.matrices() {
        if let Weight::Fixed(fixed) = &*weight {
            *weight = if fixed.changes().is_empty() { fixed.base() } else { weight.val().into() };
        }
    }
    net
}

/// A tensor as it is learned.
fn values<const D: usize>(param: &Param<Tensor<D>>) -> Vec<f32> {
    param.val().into_data().iter::<f32>().collect()
}

impl Adapter {
    /// The adapter that a network has learned, and the network without its changes: what learned as a whole stays in it, too.
    #[must_use]
    pub fn learned_by<N: Named + Clone>(net: &N, spec: &LoraSpec, base: Option<String>) -> (Self, N) {
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
            holds_head: false,
            numbers_classes: false,
            setting: AdapterSetting::default(),
        };
        let (mut base, mut found, mut whole) = (net.clone(), Vec::new(), Vec::new());
        for Matrix { modules, weight, bias, kind } in base.matrices() {
            if kind == MatrixKind::Classes {
                let module = &modules[0].0;
                let matrix = weight.rows(0..weight.dims()[0]).into_data().iter::<f32>().collect();
                whole.push(Whole { name: format!("{module}.weight"), shape: weight.dims().to_vec(), values: matrix });
                whole.extend(bias.map(|bias| Whole {
                    name: format!("{module}.bias"),
                    shape: bias.dims().to_vec(),
                    values: values(bias),
                }));
                continue;
            }
            let Weight::Fixed(fixed) = &*weight else { continue };
            let mut first = 0;
            for (module, rows) in modules {
                for change in fixed.changes().iter().filter(|change| change.rows.start == first) {
                    let matrix = |param: &Param<Tensor<2>>| Matrix2 { shape: param.dims(), values: values(param) };
                    let (a, b, scale) = (matrix(&change.a), matrix(&change.b), change.scale);
                    let module = written_name::<N>(&module, &spec.targets);
                    found.push(Change { module, of_table: false, a, b, scale });
                }
                first += rows;
            }
            *weight = fixed.base();
        }
        (Self::learned(found, whole, info), base)
    }

    /// The same with the classes that its head tells apart.
    #[must_use]
    pub fn with_classes(mut self, labels: &[String], problem: Problem) -> Self {
        self.classes = Some(AdapterClasses { labels: labels.to_vec(), problem });
        self
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
    architecture: Architecture,
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
    for Whole { name, shape, values } in adapter.whole() {
        let tensor = StoredTensor { shape: shape.clone(), values: values.clone() };
        tensors.push((format!("{PREFIX}{name}"), tensor));
    }
    if let Some(classes) = &adapter.classes {
        classes.write(dir)?;
    }
    write_tensors(&tensors, precision, &dir.join(ADAPTER_FILE))?;
    let whole = whole_modules(adapter);
    let written = Written {
        base: adapter.info.base.as_deref().unwrap_or_default(),
        // The projections of GPT-2 are turned in its files, and nobody else's.
        turned: architecture == Architecture::Gpt2,
        targets: targets(adapter, spec, !whole.is_empty()),
        whole: &whole,
        task: config::task_name(architecture.kind() != ModelKind::ImageClassifier, !whole.is_empty()),
    };
    config::write(dir, spec, &written)
}

/// The modules that are saved as a whole, each once: by the first part of their paths that lies outside the network below the head.
fn whole_modules(adapter: &Adapter) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for Whole { name, .. } in adapter.whole() {
        let module = name.rsplit_once('.').map_or(name.as_str(), |(module, _)| module);
        // A pooler stands below the prefix of its network; RoBERTa's head has two parts.
        let name = module.split('.').find(|part| part.contains("classifier") || ["pooler", "score"].contains(part));
        if let Some(name) = name.filter(|name| names.iter().all(|known| known != name)) {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    names
}

/// What `target_modules` says. Beside a head it is told by whole paths: names of layers that it shares with a body would be looked for
/// there, too, and where only the last blocks learn no others are.
fn targets(adapter: &Adapter, spec: &LoraSpec, beside_head: bool) -> Vec<String> {
    if !beside_head {
        return spec.targets.clone();
    }
    let mut paths: Vec<String> = adapter.changes().iter().map(|change| change.module.clone()).collect();
    paths.sort_unstable();
    paths
}
