//! What an edit does to a value.

use super::rows::Rows;
use super::scope::{Place, scope};
use crate::types::Site;
use burn::tensor::{Device, Int, Tensor, TensorData};

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
    /// They become the lowest finite number: a score of it makes a token invisible to others. Scores of tokens for themselves
    /// stay.
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
    #[must_use]
    pub fn of_batch<const D: usize>(x: Tensor<D>) -> Self {
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
            Change::Set(value) => {
                // It may come from a pass with gradients and be used in one without, or the other way round.
                let value = value.tensor::<D>();
                let value = if x.is_autodiff() { Tensor::from_inner(value.inner()) } else { value.inner() };
                placed(&value, x.dims(), rows, token, key).expand(x.dims())
            }
        };
        // A given value ends somewhere; what is generated behind its end stays as it is.
        let end = |axis: Option<usize>| match &self.change {
            Change::Set(value) => axis.map(|axis| value.tensor::<D>().dims()[axis]).filter(|end| *end != 1),
            _ => None,
        };
        match scope(self, &x, place, rows, [end(token), end(key)]) {
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
