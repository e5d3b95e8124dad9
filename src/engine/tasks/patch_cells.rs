//! The columns of a patching map: what each of them takes over, and which of them cannot matter.

use super::embed::unreadable;
use crate::nn::{SiteValue, Transformer, mixed};
use crate::types::{Axis, PatchAlong, PatchCell, PatchSite, UserError};
use burn::tensor::Tensor;

/// Values of one site in one pass.
pub(super) enum Values {
    /// `[1, T, D]`.
    Stream(Tensor<3>),
    /// `[1, H, T, K]`, or `[1, H, T, S]`.
    Heads(Tensor<4>),
}

impl Values {
    /// From what a pass kept of a site.
    pub(super) fn new(value: &SiteValue, has_heads: bool) -> Self {
        if has_heads { Self::Heads(value.tensor()) } else { Self::Stream(value.tensor()) }
    }

    pub(super) fn stream(&self) -> Option<Tensor<3>> {
        if let Self::Stream(x) = self { Some(x.clone()) } else { None }
    }
}

/// Along which dimension of a value columns are counted.
#[derive(Clone, Copy)]
pub(super) struct Column {
    axis: usize,
}

impl Column {
    pub(super) fn new(site: PatchSite, along: PatchAlong) -> Self {
        let wanted: &[Axis] = match along {
            PatchAlong::Positions => &[Axis::Token],
            PatchAlong::Heads => &[Axis::Head, Axis::KvHead],
        };
        let axes = site.of(0).axes();
        // The batch stands before them.
        Self { axis: 1 + axes.iter().position(|axis| wanted.contains(axis)).unwrap_or(0) }
    }

    /// Values of as many sequences as there are columns, each with that column of `from`.
    pub(super) fn mixed<const D: usize>(self, to: &Tensor<D>, from: &Tensor<D>, columns: &[usize]) -> Tensor<D> {
        mixed(to, from, self.axis, columns)
    }

    /// Σ gradient · (source − destination) over each column.
    pub(super) fn along_gradient(self, [to, from]: &[Values; 2], gradient: Tensor<1>) -> Result<Vec<f64>, UserError> {
        match (to, from) {
            (Values::Stream(to), Values::Stream(from)) => {
                self.over_columns((from.clone() - to.clone()) * gradient.reshape(to.dims()), Tensor::sum_dim)
            }
            (Values::Heads(to), Values::Heads(from)) => {
                self.over_columns((from.clone() - to.clone()) * gradient.reshape(to.dims()), Tensor::sum_dim)
            }
            _ => unreachable!("both are of one site"),
        }
    }

    /// The largest difference between both in each column.
    fn differences(self, [to, from]: &[Values; 2]) -> Result<Vec<f64>, UserError> {
        match (to, from) {
            (Values::Stream(to), Values::Stream(from)) => {
                self.over_columns((from.clone() - to.clone()).abs(), Tensor::max_dim)
            }
            (Values::Heads(to), Values::Heads(from)) => {
                self.over_columns((from.clone() - to.clone()).abs(), Tensor::max_dim)
            }
            _ => unreachable!("both are of one site"),
        }
    }

    /// One number a column.
    fn over_columns<const D: usize>(
        self,
        x: Tensor<D>,
        reduce: impl Fn(Tensor<D>, usize) -> Tensor<D>,
    ) -> Result<Vec<f64>, UserError> {
        let others = (1..D).filter(|axis| *axis != self.axis);
        let reduced = others.fold(x, reduce);
        let values = reduced.try_to_vec_as::<f32>().map_err(unreadable)?;
        Ok(values.into_iter().map(f64::from).collect())
    }
}

/// Which cells of a map cannot matter.
pub(super) struct Cells<'a> {
    net: Transformer<'a>,
    site: PatchSite,
    along: PatchAlong,
    /// Where the answer is told.
    ends_at: Vec<usize>,
}

impl<'a> Cells<'a> {
    pub(super) fn new(net: Transformer<'a>, site: PatchSite, along: PatchAlong, position: usize) -> Self {
        let ends_at = match net {
            // One head of classes for each special token.
            Transformer::Vision(vit) => (0..vit.heads.len()).collect(),
            _ => vec![position],
        };
        Self { net, site, along, ends_at }
    }

    /// The cells of a layer, those that cannot matter already known.
    pub(super) fn of_layer(
        &self,
        layer: usize,
        column: Column,
        pair: &[Values; 2],
    ) -> Result<Vec<PatchCell>, UserError> {
        let differences = column.differences(pair)?;
        let cell = |(at, difference): (usize, f64)| {
            let is_idle = difference == 0.0 || self.along == PatchAlong::Positions && !self.reaches(layer, at);
            PatchCell { measured: is_idle.then_some(0.0), estimated: None, is_idle }
        };
        Ok(differences.into_iter().enumerate().map(cell).collect())
    }

    /// True where something leads from a position of a layer to the answer.
    fn reaches(&self, layer: usize, position: usize) -> bool {
        let first = if self.site.is_looked_at() { layer } else { layer + 1 };
        let is_causal = matches!(self.net, Transformer::Decoder(_));
        // How far back all blocks together look that come behind it.
        let steps =
            (first..self.net.blocks()).map(|layer| self.net.window(layer).map_or(usize::MAX, |window| window - 1));
        let far = steps.fold(0usize, usize::saturating_add);
        self.ends_at.iter().any(|&end| match end.checked_sub(position) {
            Some(back) => back <= far,
            None => !is_causal && far > 0,
        })
    }
}
