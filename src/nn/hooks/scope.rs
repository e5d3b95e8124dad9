//! Where an edit holds.

use super::change::{Change, SiteEdit};
use super::rows::Rows;
use crate::types::{Axis, Site};
use burn::tensor::{Bool, Tensor, TensorData};

/// Which dimension of a value with a batch is which.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub head: Option<usize>,
    pub token: Option<usize>,
    pub key: Option<usize>,
}

impl Place {
    /// For a value of D dimensions, the batch among them.
    pub(super) fn of<const D: usize>(site: Site) -> Self {
        let axes = site.axes();
        let axes = &axes[(axes.len() + 1).saturating_sub(D)..];
        let find = |wanted: &[Axis]| axes.iter().position(|axis| wanted.contains(axis)).map(|place| place + 1);
        Self { head: find(&[Axis::Head, Axis::KvHead]), token: find(&[Axis::Token]), key: find(&[Axis::Key]) }
    }
}

/// A dimension, and at which coordinates of it an edit holds.
type Condition<'a, const D: usize> = (usize, Box<dyn Fn([usize; D]) -> bool + 'a>);

/// Where an edit holds, in the shape of `x`; `None` for everywhere. `ends` are the first position and the first key it does
/// not reach.
///
/// # Panics
/// When it names heads, positions or keys and the value has none.
pub(super) fn scope<const D: usize>(
    edit: &SiteEdit,
    x: &Tensor<D>,
    place: Place,
    rows: &Rows,
    ends: [Option<usize>; 2],
) -> Option<Tensor<D, Bool>> {
    let named = |what: &str, axis: Option<usize>| axis.unwrap_or_else(|| panic!("{} has no {what}", edit.site));
    let mut conditions: Vec<Condition<'_, D>> = Vec::new();
    if let Some(heads) = &edit.heads {
        let axis = named("heads", place.head);
        conditions.push((axis, Box::new(move |at| heads.contains(&at[axis]))));
    }
    let [position_end, key_end] = ends;
    if edit.positions.is_some() || position_end.is_some() {
        let axis = named("positions", place.token);
        conditions.push((
            axis,
            Box::new(move |at| reaches(edit.positions.as_deref(), position_end, rows.position(at[0], at[axis]))),
        ));
    }
    if edit.keys.is_some() || key_end.is_some() {
        let axis = named("keys", place.key);
        conditions.push((
            axis,
            Box::new(move |at| reaches(edit.keys.as_deref(), key_end, rows.key_position(at[0], at[axis]))),
        ));
    }
    if let (Change::Lowest, Some(token), Some(key)) = (&edit.change, place.token, place.key) {
        // A token always sees itself: nothing would be left of a row that is hidden as a whole.
        conditions
            .push((token, Box::new(move |at| rows.position(at[0], at[token]) != rows.key_position(at[0], at[key]))));
        conditions.push((key, Box::new(|_| true)));
    }
    if let Some(sequence) = edit.sequence {
        match place.token {
            Some(axis) => {
                conditions.push((axis, Box::new(move |at| rows.sequence(at[0], at[axis]) == sequence)));
            }
            None => conditions.push((0, Box::new(move |at| at[0] == sequence))),
        }
    }
    if conditions.is_empty() {
        return None;
    }
    let dims = x.dims();
    let mut shape = [1; D];
    shape[0] = dims[0];
    conditions.iter().for_each(|(axis, _)| shape[*axis] = dims[*axis]);
    let holds = |flat: usize| {
        let at = coordinates(flat, &shape);
        conditions.iter().all(|(_, condition)| condition(at))
    };
    let flags: Vec<bool> = (0..shape.iter().product()).map(holds).collect();
    Some(Tensor::<D, Bool>::from_data(TensorData::new(flags, shape), &x.device()).expand(dims))
}

/// True when a position, which padding has not, is among those an edit names.
fn reaches(named: Option<&[usize]>, end: Option<usize>, position: Option<usize>) -> bool {
    position.is_some_and(|position| {
        end.is_none_or(|end| position < end) && named.is_none_or(|named| named.contains(&position))
    })
}

fn coordinates<const D: usize>(mut flat: usize, shape: &[usize; D]) -> [usize; D] {
    let mut at = [0; D];
    for axis in (0..D).rev() {
        at[axis] = flat % shape[axis];
        flat /= shape[axis];
    }
    at
}
