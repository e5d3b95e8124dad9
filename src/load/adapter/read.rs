//! An adapter from its file onto a network.

use super::classes::AdapterClasses;
use super::config::AdapterConfig;
use super::matrices::{Matrix, MatrixKind, Named, is_same};
use crate::load::error::LoadError;
use crate::load::tensors::container::{Container, WeightFiles};
use crate::load::tensors::elements::Elements;
use crate::nn::{LowRank, Weight};
use crate::types::{AdapterInfo, AdapterSetting, Architecture};
use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What PEFT puts before the path of a module.
pub(super) const PREFIX: &str = "base_model.model.";
/// The ends of the names of A and B, for layers and for tables.
pub(super) const ENDS: [[&str; 2]; 2] =
    [[".lora_A.weight", ".lora_B.weight"], [".lora_embedding_A", ".lora_embedding_B"]];

const IN_TARGETS: &str = "target_modules names its module, which would stay as it is in the base";
const IN_WHOLE: &str = "modules_to_save names its module, which would stay as it is in the base";

/// The end of the name of what a change is added to.
const BASE_LAYER: &str = ".base_layer.weight";

/// An adapter in memory.
#[derive(Debug)]
pub struct Adapter {
    /// What is told of it.
    pub info: AdapterInfo,
    /// The file it is from.
    file: PathBuf,
    changes: Vec<Change>,
    whole: Vec<Whole>,
    /// Its settings, by which tensors that are missing are known; none for one that was learned here.
    config: Option<AdapterConfig>,
    /// What it says of its classes, where it says something.
    pub(in crate::load) classes: Option<AdapterClasses>,
}

/// `scale · B · A` for one module.
#[derive(Debug)]
pub(super) struct Change {
    /// The module's path as the file has it.
    pub(super) module: String,
    pub(super) of_table: bool,
    /// `[R, in]`; of a table `[R, V]`.
    pub(super) a: Matrix2,
    /// `[out, R]`; of a table `[D, R]`.
    pub(super) b: Matrix2,
    pub(super) scale: f32,
}

/// Numbers of a matrix, row-major.
#[derive(Clone, Debug)]
pub(super) struct Matrix2 {
    pub(super) shape: [usize; 2],
    pub(super) values: Vec<f32>,
}

/// A tensor that takes the place of the model's.
#[derive(Debug)]
pub(super) struct Whole {
    /// The module's path as the file has it, then `weight` or `bias`.
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

/// Reads the adapter in a folder.
///
/// # Errors
/// When its settings ask for what is not computed here, a tensor's partner is missing, or a tensor has no meaning here.
pub fn read_adapter(dir: &Path) -> Result<Adapter, LoadError> {
    let config = AdapterConfig::read(dir)?;
    let files = WeightFiles::of_adapter(dir)?;
    let (containers, _) = files.containers()?;
    let [file] = containers.as_slice() else { unreachable!("an adapter is one file") };
    let mut names: Vec<String> = file.names().into_iter().map(str::to_owned).collect();
    names.sort_unstable();
    let tensors = names.len();
    let (mut pairs, mut whole) = (BTreeMap::<(String, bool), [Option<Matrix2>; 2]>::new(), Vec::new());
    for name in names {
        let Some(path) = name.strip_prefix(PREFIX) else {
            let why = format!("names of an adapter begin with {PREFIX}");
            return Err(LoadError::AdapterTensor { path: file.path.to_owned(), name, why });
        };
        let place = ENDS.iter().enumerate().find_map(|(kind, ends)| {
            let side = ends.iter().position(|end| path.ends_with(end))?;
            Some((path.strip_suffix(ends[side])?.to_owned(), kind == 1, side))
        });
        let (shape, values) = values_of(file, &name)?;
        match place {
            Some((module, of_table, side)) => {
                let [rows, columns] = shape[..] else {
                    let why = format!("it has shape {shape:?} and should be a matrix");
                    return Err(LoadError::AdapterTensor { path: file.path.to_owned(), name, why });
                };
                let matrix = Matrix2 { shape: [rows, columns], values };
                pairs.entry((module, of_table)).or_default()[side] = Some(matrix);
            }
            // Where a change is one of embeddings, PEFT writes these as well.
            None if path.ends_with(BASE_LAYER) => {
                let name = path.replace(BASE_LAYER, ".weight");
                whole.push(Whole { name, shape, values });
            }
            None if config.is_whole(path.rsplit_once('.').map_or(path, |(module, _)| module)) => {
                whole.push(Whole { name: path.to_owned(), shape, values });
            }
            None => {
                let why = "it is no part of a low-rank change, and modules_to_save does not name its module".to_owned();
                return Err(LoadError::AdapterTensor { path: file.path.to_owned(), name, why });
            }
        }
    }
    let changes = pairs.into_iter().map(|((module, of_table), pair)| paired(&config, file, module, of_table, pair));
    let changes = changes.collect::<Result<Vec<_>, _>>()?;
    if changes.is_empty() && whole.is_empty() {
        return Err(LoadError::AdapterEmpty { path: file.path.to_owned() });
    }
    let name = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let info = AdapterInfo {
        name: crate::types::model_name(&name),
        path: dir.to_owned(),
        base: config.base.clone(),
        rank: config.rank,
        alpha: config.alpha,
        rank_stabilised: config.rank_stabilised,
        is_varied: config.is_varied(),
        tensors,
        ..told(&changes, &whole)
    };
    let classes = AdapterClasses::read(dir)?;
    Ok(Adapter { info, file: file.path.to_owned(), changes, whole, config: Some(config), classes })
}

/// A and B of one module, which must both be there and fit each other.
fn paired(
    config: &AdapterConfig,
    file: &Container<'_>,
    module: String,
    of_table: bool,
    pair: [Option<Matrix2>; 2],
) -> Result<Change, LoadError> {
    let ends = ENDS[usize::from(of_table)];
    let name = |side: usize| format!("{PREFIX}{module}{}", ends[side]);
    let path = || file.path.to_owned();
    let [a, b] = match pair {
        [Some(a), Some(b)] => [a, b],
        [found, _] => {
            let (there, missing) = if found.is_some() { (0, 1) } else { (1, 0) };
            return Err(LoadError::AdapterPartner { path: path(), name: name(missing), other: name(there) });
        }
    };
    let rank = config.rank_of(&module);
    if a.shape[0] != rank || b.shape[1] != rank {
        let (side, shape) = if a.shape[0] == rank { (1, b.shape) } else { (0, a.shape) };
        let mut expected = shape;
        expected[side] = rank;
        return Err(LoadError::AdapterShape { path: path(), name: name(side), found: shape, expected });
    }
    let scale = config.scale_of(&module);
    Ok(Change { module, of_table, a, b, scale })
}

/// A tensor in F32, with its shape.
fn values_of(file: &Container<'_>, name: &str) -> Result<(Vec<usize>, Vec<f32>), LoadError> {
    let (path, name) = (file.path.to_owned(), name.to_owned());
    let Some(tensor) = file.tensor(&name)? else { return Err(LoadError::MissingTensor { path, name }) };
    let Some(elements) = Elements::decode(tensor.dtype, &tensor.bytes) else {
        return Err(LoadError::WrongDtype { path, name, found: tensor.dtype.to_string() });
    };
    if let Some((index, value)) = elements.first_not_finite() {
        return Err(LoadError::NotFinite { path, name, index, value });
    }
    Ok((tensor.shape, elements.into_f32()))
}

/// What follows from the tensors themselves.
fn told(changes: &[Change], whole: &[Whole]) -> AdapterInfo {
    let of_changes = changes.iter().map(|change| change.a.values.len() + change.b.values.len()).sum::<usize>();
    let of_whole = whole.iter().map(|whole| whole.values.len()).sum::<usize>();
    let is_zero = |matrix: &Matrix2| matrix.values.iter().all(|value| *value == 0.0);
    AdapterInfo {
        name: String::new(),
        path: PathBuf::new(),
        base: None,
        rank: 0,
        alpha: 0.0,
        rank_stabilised: false,
        is_varied: false,
        tensors: 2 * changes.len() + whole.len(),
        matrices: changes.len() + whole.iter().filter(|whole| whole.shape.len() == 2).count(),
        parameters: (of_changes + of_whole) as u64,
        is_identity: whole.is_empty() && changes.iter().all(|change| is_zero(&change.a) || is_zero(&change.b)),
        holds_head: false,
        numbers_classes: false,
        setting: AdapterSetting::default(),
    }
}

impl Adapter {
    /// One that was learned here, whose name and base are told by whoever keeps it.
    pub(super) fn learned(changes: Vec<Change>, whole: Vec<Whole>, info: AdapterInfo) -> Self {
        let AdapterInfo { tensors, matrices, parameters, is_identity, .. } = told(&changes, &whole);
        let info = AdapterInfo { tensors, matrices, parameters, is_identity, ..info };
        Self { info, file: PathBuf::new(), changes, whole, config: None, classes: None }
    }

    /// How many classes the head that it holds tells apart, of a network of this architecture.
    #[must_use]
    pub fn head_classes(&self, architecture: Architecture) -> Option<usize> {
        let module = super::classes::head_module(architecture)?;
        let of_head = self.whole.iter().find(|whole| whole.name == format!("{module}.weight"))?;
        of_head.shape.first().copied()
    }

    /// True when it is for classes of texts by what it says.
    #[must_use]
    pub fn tells_classes(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config.tells_classes)
    }

    /// True when it holds this tensor as a whole.
    pub(in crate::load) fn holds_whole(&self, name: &str) -> bool {
        self.whole.iter().any(|whole| whole.name == name)
    }

    /// An error that says that it lacks a tensor.
    pub(in crate::load) fn lacks(&self, name: &str, why: &'static str) -> LoadError {
        LoadError::AdapterMissing { path: self.file.clone(), name: format!("{PREFIX}{name}"), why }
    }

    /// What stands in the place of whole tensors.
    pub(super) fn whole(&self) -> &[Whole] {
        &self.whole
    }

    /// What it does to each module.
    pub(super) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// True when the classes that are told beside it are others than a model's, by name or by order: then its head is for these, and the
    /// model's own is none of it.
    #[must_use]
    pub fn has_other_classes(&self, labels: &[String]) -> bool {
        self.classes.as_ref().is_some_and(|classes| classes.labels != labels)
    }

    /// A network with what stands in the place of whole modules, and none of the changes.
    ///
    /// # Errors
    /// As of [`Attached::network`].
    pub fn with_whole<N: Named + Clone>(&self, base: &N) -> Result<N, LoadError> {
        let whole = self.onto(base, 0.0)?;
        // At a factor of zero a matrix that is changed is a copy of itself; the base keeps its own.
        let (mut net, mut of_whole) = (base.clone(), whole);
        let pairs = net.matrices().into_iter().zip(of_whole.matrices());
        for (ours, theirs) in pairs.filter(|(ours, _)| ours.kind == MatrixKind::Classes) {
            *ours.weight = theirs.weight.clone();
            if let (Some(bias), Some(of_whole)) = (ours.bias, theirs.bias) {
                bias.clone_from(of_whole);
            }
        }
        Ok(net)
    }

    /// A network with this adapter, its change multiplied with `factor`. Matrices that it does not change are shared with the base, those
    /// that it changes are F32. What stands in the place of a whole module does so with any factor.
    ///
    /// # Errors
    /// When a tensor has no place in the network, has another shape than that asks for, or is missing.
    pub(in crate::load) fn onto<N: Named + Clone>(&self, base: &N, factor: f32) -> Result<N, LoadError> {
        let mut net = base.clone();
        let prefix = net.prefix();
        let touches_ends = |name: &str| {
            let module = name.trim_end_matches(".weight");
            is_same::<N>(net.head_module(), module, prefix) || is_same::<N>(net.table_module(), module, prefix)
        };
        // Where head and embeddings are one matrix, a change of one of them is none of the other.
        let changed = self.changes.iter().map(|change| change.module.as_str());
        if changed.chain(self.whole.iter().map(|whole| whole.name.as_str())).any(touches_ends) {
            net.untie();
        }
        let mut matrices = net.matrices();
        self.refuse_strangers::<N>(&matrices, prefix)?;
        for matrix in &mut matrices {
            self.change::<N>(matrix, prefix, factor)?;
        }
        drop(matrices);
        Ok(net)
    }

    /// Refuses tensors that no module of the network has, and modules that lack theirs.
    fn refuse_strangers<N: Named>(&self, matrices: &[Matrix<'_>], prefix: &str) -> Result<(), LoadError> {
        let known = |module: &str| {
            matrices.iter().any(|m| m.modules.iter().any(|(name, _)| is_same::<N>(name, module, prefix)))
        };
        let mut strangers = Vec::new();
        for Change { module, of_table, .. } in &self.changes {
            if !known(module) {
                strangers.push(format!("{PREFIX}{module}{}", ENDS[usize::from(*of_table)][0]));
            }
        }
        for whole in &self.whole {
            let (module, kind) = whole.name.rsplit_once('.').unwrap_or((&whole.name, ""));
            if !known(module) || !matches!(kind, "weight" | "bias") {
                strangers.push(format!("{PREFIX}{}", whole.name));
            }
        }
        if let Some(name) = strangers.first().cloned() {
            let (all, others) = (self.info.tensors, strangers.len() - 1);
            let modules = matrices.iter().flat_map(|m| m.modules.iter().map(|(name, _)| name.clone()));
            return Err(LoadError::AdapterStranger {
                path: self.file.clone(),
                name,
                others,
                all,
                known: modules.collect(),
            });
        }
        let Some(config) = &self.config else { return Ok(()) };
        for Matrix { modules, bias, kind, .. } in matrices {
            for (module, _) in modules {
                let names = [Some(module.clone()), N::other_name(module)];
                let holds = |what: &dyn Fn(&str) -> bool| names.iter().flatten().any(|name| what(name));
                let whole = |part: &str| {
                    self.whole.iter().any(|whole| {
                        let (of, kind) = whole.name.rsplit_once('.').unwrap_or((&whole.name, ""));
                        kind == part && is_same::<N>(module, of, prefix)
                    })
                };
                if holds(&|name| config.is_whole(name)) {
                    for part in [Some("weight"), bias.as_ref().map(|_| "bias")].into_iter().flatten() {
                        if !whole(part) {
                            return Err(self.lacks(&format!("{module}.{part}"), IN_WHOLE));
                        }
                    }
                    continue;
                }
                let is_changed = self.changes.iter().any(|change| is_same::<N>(module, &change.module, prefix));
                let is_layer = matches!(kind, MatrixKind::Linear | MatrixKind::Classes);
                if is_layer && !is_changed && holds(&|name| config.is_target(name)) {
                    return Err(self.lacks(&format!("{module}{}", ENDS[0][0]), IN_TARGETS));
                }
            }
        }
        Ok(())
    }

    /// Makes one matrix what it is with this adapter.
    fn change<N: Named>(&self, matrix: &mut Matrix<'_>, prefix: &str, factor: f32) -> Result<(), LoadError> {
        let [_, inputs] = matrix.weight.dims();
        let device = matrix.weight.device();
        let (mut first, mut changes) = (0, Vec::new());
        for (module, rows) in &matrix.modules {
            let here = |name: &str| is_same::<N>(module, name, prefix);
            for whole in &self.whole {
                let (of, kind) = whole.name.rsplit_once('.').unwrap_or((&whole.name, ""));
                if here(of) {
                    self.replace(matrix.weight, matrix.bias.as_deref_mut(), whole, kind, first..first + rows)?;
                }
            }
            for change in self.changes.iter().filter(|change| here(&change.module)) {
                let (a, b) = self.checked(change, matrix.kind, [*rows, inputs])?;
                let param = |Matrix2 { shape, values }: Matrix2| {
                    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &device))
                };
                changes.push(LowRank {
                    name: last(module).to_owned(),
                    rows: first..first + rows,
                    a: param(a),
                    b: param(b),
                    scale: change.scale * factor,
                });
            }
            first += rows;
        }
        if !changes.is_empty() {
            *matrix.weight = matrix.weight.clone().fixed(changes).val().into();
        }
        Ok(())
    }

    /// A `[R, in]` and B `[rows, R]` of a change, where they fit the module. A table lies the other way round.
    fn checked(
        &self,
        change: &Change,
        kind: MatrixKind,
        [rows, inputs]: [usize; 2],
    ) -> Result<(Matrix2, Matrix2), LoadError> {
        let Change { module, of_table, a, b, .. } = change;
        let ends = ENDS[usize::from(*of_table)];
        let name = |side: usize| format!("{PREFIX}{module}{}", ends[side]);
        if *of_table != (kind == MatrixKind::Table) {
            let why = "embeddings have lora_embedding_A and lora_embedding_B, and nothing else has them".to_owned();
            return Err(LoadError::AdapterTensor { path: self.file.clone(), name: name(0), why });
        }
        let rank = a.shape[0];
        let [columns, outputs] = if *of_table { [rows, inputs] } else { [inputs, rows] };
        for (side, found, expected) in [(0, a.shape, [rank, columns]), (1, b.shape, [outputs, rank])] {
            if found != expected {
                let (path, name) = (self.file.clone(), name(side));
                return Err(LoadError::AdapterShape { path, name, found, expected });
            }
        }
        Ok(if *of_table { (b.turned(), a.turned()) } else { (a.clone(), b.clone()) })
    }

    /// Puts a whole tensor in the place of some rows.
    fn replace(
        &self,
        weight: &mut Weight,
        bias: Option<&mut Param<Tensor<1>>>,
        whole: &Whole,
        kind: &str,
        rows: std::ops::Range<usize>,
    ) -> Result<(), LoadError> {
        let name = format!("{PREFIX}{}", whole.name);
        let [_, inputs] = weight.dims();
        let misshapen = |expected: &[usize]| LoadError::AdapterWholeShape {
            path: self.file.clone(),
            name: name.clone(),
            found: whole.shape.clone(),
            expected: expected.to_vec(),
        };
        let device = weight.device();
        if kind == "bias" {
            let Some(bias) = bias else {
                let why = "the module has no bias here".to_owned();
                return Err(LoadError::AdapterTensor { path: self.file.clone(), name, why });
            };
            if whole.shape != [rows.len()] {
                return Err(misshapen(&[rows.len()]));
            }
            let changed = bias.val().slice_assign([rows], vector(&whole.values, &device));
            *bias = Param::from_tensor(changed);
            return Ok(());
        }
        if whole.shape != [rows.len(), inputs] {
            return Err(misshapen(&[rows.len(), inputs]));
        }
        let all = weight.dims()[0];
        let new = Tensor::<2>::from_data(TensorData::new(whole.values.clone(), [rows.len(), inputs]), &device);
        let (before, behind) = (0..rows.start, rows.end..all);
        let parts = [before, behind].map(|rows| (!rows.is_empty()).then(|| weight.rows(rows)));
        let [before, behind] = parts;
        let parts: Vec<Tensor<2>> = before.into_iter().chain([new]).chain(behind).collect();
        *weight = Tensor::cat(parts, 0).into();
        Ok(())
    }
}

fn vector(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

impl Matrix2 {
    /// Rows as columns.
    fn turned(&self) -> Self {
        let [rows, columns] = self.shape;
        let values = (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column));
        Self { shape: [columns, rows], values: values.map(|at| self.values[at]).collect() }
    }
}

/// The last part of a module's path.
pub(super) fn last(module: &str) -> &str {
    module.rsplit('.').next().unwrap_or(module)
}

/// An adapter that belongs to an open network, and that network without it.
#[derive(Clone, Debug)]
pub struct Attached<N> {
    /// The adapter.
    pub adapter: Arc<Adapter>,
    /// The network without it.
    pub base: N,
}

impl<N: Named + Clone> Attached<N> {
    /// The network as a setting makes it: the base itself, to the last bit, while it is off.
    ///
    /// # Errors
    /// When the adapter does not fit.
    pub fn network(&self, setting: AdapterSetting) -> Result<N, LoadError> {
        let Self { adapter, base } = self;
        if !setting.on || (setting.factor == 0.0 && adapter.whole.is_empty()) {
            return Ok(base.clone());
        }
        adapter.onto(base, setting.factor)
    }
}
