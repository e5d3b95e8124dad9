//! What an edit does to a value.

use super::rows::Rows;
use crate::types::{Axis, Site};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

/// A change of the values at one site: of all of them, or for some heads, positions and sequences.
#[derive(Clone, Debug)]
pub struct SiteEdit {
    /// Where.
    pub site: Site,
    /// Which heads, or at `k` and `v` which key-value heads; `None` for all.
    pub heads: Option<Vec<usize>>,
    /// Which positions, counted from the first token of the sequence; in scores and pattern those that look. `None` for all.
    pub positions: Option<Vec<usize>>,
    /// In scores and pattern, which positions are looked at; `None` for all.
    pub keys: Option<Vec<usize>>,
    /// Which sequence of the batch; `None` for all.
    pub sequence: Option<usize>,
    /// What is done.
    pub change: Change,
}

impl SiteEdit {
    /// A change of everything at a site.
    #[must_use]
    pub fn whole(site: Site, change: Change) -> Self {
        Self { site, heads: None, positions: None, keys: None, sequence: None, change }
    }
}

/// What is done to values.
#[derive(Clone, Debug)]
pub enum Change {
    /// They become 0.
    Zero,
    /// They become the lowest finite number: a score of it makes a token invisible.
    Lowest,
    /// They are multiplied.
    Scale(f64),
    /// They become the mean over the tokens of the pass, which must hold the whole prompt; [`super::Hooks::fixed_edits`]
    /// then gives an edit to that mean for passes over parts of it. Not for scores and pattern.
    Mean,
    /// Two positions change places. For [`Site::PosEmbed`] and [`Site::Rotary`] only.
    Swap(usize, usize),
    /// They become given ones. Positions behind its last one stay as they are.
    Set(Box<SiteValue>),
}

/// Values of a site, on their device.
#[derive(Clone, Debug)]
pub struct SiteValue {
    /// The site's shape without the batch, or with it where that is more than one. A token axis of 1 stands for every
    /// position.
    shape: Vec<usize>,
    values: Tensor<1>,
}

impl SiteValue {
    /// From row-major values in a site's own shape, without a batch.
    ///
    /// # Panics
    /// When shape and number of values differ.
    #[must_use]
    pub fn new(values: Vec<f32>, shape: &[usize], device: &Device) -> Self {
        assert_eq!(values.len(), shape.iter().product::<usize>(), "values of another shape than {shape:?}");
        let count = values.len();
        Self { shape: shape.to_vec(), values: Tensor::from_data(TensorData::new(values, [count]), device) }
    }

    /// From a batch, whose dimension is left out where it is one.
    pub(super) fn of_batch<const D: usize>(x: Tensor<D>) -> Self {
        let shape = without_batch_of_one(&x.dims());
        Self { shape, values: x.flatten(0, D - 1) }
    }

    /// Its shape; the batch comes first where it holds more than one sequence.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// As a tensor with a batch, `[B, ..]`.
    ///
    /// # Panics
    /// When it has neither D dimensions nor one less.
    #[must_use]
    pub fn tensor<const D: usize>(&self) -> Tensor<D> {
        let mut dims = [1; D];
        dims[D - self.shape.len()..].copy_from_slice(&self.shape);
        self.values.clone().reshape(dims)
    }
}

/// The shape of a value without its batch where that is one sequence.
pub(super) fn without_batch_of_one(dims: &[usize]) -> Vec<usize> {
    if dims[0] == 1 { dims[1..].to_vec() } else { dims.to_vec() }
}

impl SiteEdit {
    /// `x` `[B, ..]` with the change; a mean that is found goes to `mean`.
    pub(super) fn apply<const D: usize>(&self, x: Tensor<D>, rows: &Rows, mean: &mut Option<SiteValue>) -> Tensor<D> {
        let x = self.one_for_each_sequence(x, rows);
        let place = Place::of::<D>(self.site);
        let (token, key) = (place.token, place.key);
        let value = match &self.change {
            // Positions have changed places before their embeddings were looked up.
            Change::Swap(..) => return x,
            Change::Zero => x.zeros_like(),
            Change::Lowest => x.full_like(f32::MIN),
            Change::Scale(factor) => x.clone().mul_scalar(*factor),
            Change::Mean => {
                let axis = token.unwrap_or_else(|| panic!("{} has no tokens to take a mean over", self.site));
                let found = mean_over_tokens(&x, axis, rows);
                *mean = Some(SiteValue::of_batch(found.clone()));
                found.expand(x.dims())
            }
            Change::Set(value) => placed(&value.tensor::<D>(), x.dims(), rows, token, key).expand(x.dims()),
        };
        // A given value ends somewhere; what is generated behind its end stays as it is.
        let given = match &self.change {
            Change::Set(value) => value.tensor::<D>().dims(),
            _ => [usize::MAX; D],
        };
        let end = |axis: Option<usize>| axis.map(|axis| given[axis]).filter(|end| *end != 1).unwrap_or(usize::MAX);
        match self.mask(&x, place, rows, end(token), end(key)) {
            Some(mask) => x.mask_where(mask, value),
            None => value,
        }
    }

    /// Values that all sequences share, where an edit tells them apart.
    fn one_for_each_sequence<const D: usize>(&self, x: Tensor<D>, rows: &Rows) -> Tensor<D> {
        let (mut dims, [b, _]) = (x.dims(), rows.shape());
        if dims[0] > 1 || b <= 1 {
            return x;
        }
        dims[0] = b;
        x.expand(dims)
    }

    /// Where the change holds, in the shape of `x`; `None` for everywhere. `ends` are the first position and key it does not
    /// reach.
    fn mask<const D: usize>(
        &self,
        x: &Tensor<D>,
        place: Place,
        rows: &Rows,
        token_end: usize,
        key_end: usize,
    ) -> Option<Tensor<D, Bool>> {
        let by_token = self.positions.is_some() || token_end != usize::MAX;
        let by_key = self.keys.is_some() || key_end != usize::MAX;
        if self.heads.is_none() && !by_token && !by_key && self.sequence.is_none() {
            return None;
        }
        let named = |what: &str, axis: Option<usize>| axis.unwrap_or_else(|| panic!("{} has no {what}", self.site));
        let dims = x.dims();
        let mut shape = [1; D];
        shape[0] = dims[0];
        if self.heads.is_some() {
            let axis = named("heads", place.head);
            shape[axis] = dims[axis];
        }
        if by_token || (self.sequence.is_some() && place.token.is_some()) {
            let axis = named("positions", place.token);
            shape[axis] = dims[axis];
        }
        if by_key {
            let axis = named("keys", place.key);
            shape[axis] = dims[axis];
        }
        let holds = |list: &Option<Vec<usize>>, i: usize| list.as_ref().is_none_or(|list| list.contains(&i));
        let is_meant = |flat: usize| {
            let at = coordinates(flat, &shape);
            let sequence = || place.token.map_or(at[0], |axis| rows.sequence(at[0], at[axis]));
            let meant = |list: &Option<Vec<usize>>, position: Option<usize>, end: usize| {
                position.is_some_and(|position| position < end && holds(list, position))
            };
            self.sequence.is_none_or(|of| of == sequence())
                && place.head.is_none_or(|axis| self.heads.is_none() || holds(&self.heads, at[axis]))
                && (!by_token
                    || place
                        .token
                        .is_some_and(|axis| meant(&self.positions, rows.position(at[0], at[axis]), token_end)))
                && (!by_key
                    || place.key.is_some_and(|axis| meant(&self.keys, rows.key_position(at[0], at[axis]), key_end)))
        };
        let flags: Vec<bool> = (0..shape.iter().product()).map(is_meant).collect();
        Some(Tensor::<D, Bool>::from_data(TensorData::new(flags, shape), &x.device()).expand(dims))
    }
}

/// Which dimension of a value with a batch is which.
#[derive(Clone, Copy)]
struct Place {
    head: Option<usize>,
    token: Option<usize>,
    key: Option<usize>,
}

impl Place {
    /// For a value of D dimensions, the batch among them.
    fn of<const D: usize>(site: Site) -> Self {
        let axes = site.axes();
        let axes = &axes[(axes.len() + 1).saturating_sub(D)..];
        let find = |wanted: &[Axis]| axes.iter().position(|axis| wanted.contains(axis)).map(|place| place + 1);
        Self { head: find(&[Axis::Head, Axis::KvHead]), token: find(&[Axis::Token]), key: find(&[Axis::Key]) }
    }
}

fn coordinates<const D: usize>(mut flat: usize, shape: &[usize; D]) -> [usize; D] {
    let mut at = [0; D];
    for axis in (0..D).rev() {
        at[axis] = flat % shape[axis];
        flat /= shape[axis];
    }
    at
}

/// The mean over the tokens that are no padding, with a token axis of 1.
fn mean_over_tokens<const D: usize>(x: &Tensor<D>, axis: usize, rows: &Rows) -> Tensor<D> {
    let dims = x.dims();
    let real = |b: usize| (0..dims[axis]).map(move |t| rows.position(b, t).is_some());
    let batch = dims[0];
    if (0..batch).all(|b| real(b).all(|real| real)) {
        return x.clone().mean_dim(axis);
    }
    let share = |b: usize| {
        let count = real(b).filter(|real| *real).count().max(1) as f32;
        real(b).map(move |real| if real { count.recip() } else { 0.0 })
    };
    let mut shape = [1; D];
    (shape[0], shape[axis]) = (batch, dims[axis]);
    let shares: Vec<f32> = (0..batch).flat_map(share).collect();
    (x.clone() * Tensor::from_data(TensorData::new(shares, shape), &x.device())).sum_dim(axis)
}

/// The rows of a given value that stand where those of the pass do.
fn placed<const D: usize>(
    value: &Tensor<D>,
    dims: [usize; D],
    rows: &Rows,
    token: Option<usize>,
    key: Option<usize>,
) -> Tensor<D> {
    let device = value.device();
    let pick = |value: Tensor<D>, axis: usize, positions: Vec<usize>| {
        let last = value.dims()[axis] - 1;
        let count = positions.len();
        let places: Vec<i32> = positions.into_iter().map(|position| position.min(last) as i32).collect();
        value.select(axis, Tensor::<1, Int>::from_data(TensorData::new(places, [count]), &device))
    };
    let of_sequence = |b: usize| {
        let batch = value.dims()[0];
        let mut value = if batch > 1 { value.clone().narrow(0, b, 1) } else { value.clone() };
        if let Some(axis) = token.filter(|axis| value.dims()[*axis] > 1) {
            let positions = (0..dims[axis]).map(|t| rows.position(b, t).unwrap_or(0)).collect();
            value = pick(value, axis, positions);
        }
        if let Some(axis) = key.filter(|axis| value.dims()[*axis] > 1) {
            let positions = (0..dims[axis]).map(|s| rows.key_position(b, s).unwrap_or(0)).collect();
            value = pick(value, axis, positions);
        }
        value
    };
    let needs_rows = token.is_some_and(|axis| value.dims()[axis] > 1) || key.is_some_and(|axis| value.dims()[axis] > 1);
    if !needs_rows {
        return value.clone();
    }
    Tensor::cat((0..dims[0]).map(of_sequence).collect(), 0)
}
