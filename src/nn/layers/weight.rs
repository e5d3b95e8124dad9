//! A matrix of weights, as a tensor or as it lies in a file.

use crate::nn::kernels;
use crate::nn::kernels::rows::Format;
use crate::nn::layers::linear::{embedding, in_f32, product};
use crate::nn::layers::low_rank::{FixedWeight, LowRank};
use crate::nn::stored::StoredRows;
use burn::module::{Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// A weight `[out, in]`.
#[derive(Clone, Debug)]
pub enum Weight {
    /// On its device, where it can learn.
    Tensor(Param<Tensor<2>>),
    /// In the bytes of a file, which are multiplied where they lie. Only where `kernels::serve` says so: plain Flex. Whatever
    /// changes weights, or takes gradients through them, makes tensors of them first.
    Stored(StoredRows),
    /// As it is while something is learned, with low-rank changes that may learn. Its own numbers are no parameters: nobody visits
    /// them, and no gradient of theirs is computed.
    Fixed(FixedWeight),
}

impl From<Tensor<2>> for Weight {
    fn from(tensor: Tensor<2>) -> Self {
        Self::Tensor(Param::from_tensor(tensor))
    }
}

impl From<StoredRows> for Weight {
    fn from(rows: StoredRows) -> Self {
        Self::Stored(rows)
    }
}

impl Weight {
    /// `[out, in]`.
    #[must_use]
    pub fn dims(&self) -> [usize; 2] {
        match self {
            Self::Tensor(param) => param.dims(),
            Self::Stored(rows) => rows.shape(),
            Self::Fixed(fixed) => fixed.dims(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn device(&self) -> Device {
        match self {
            Self::Tensor(param) => param.device(),
            Self::Stored(_) => Device::flex(),
            Self::Fixed(fixed) => fixed.device(),
        }
    }

    /// Bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Tensor(param) => (param.lazy_shape().num_elements() * param.val().dtype().size()) as u64,
            Self::Stored(rows) => rows.bytes(),
            Self::Fixed(fixed) => fixed.bytes(),
        }
    }

    /// The same as something that does not learn, with these changes.
    ///
    /// # Panics
    /// When it is such a weight already.
    #[must_use]
    pub fn fixed(self, changes: Vec<LowRank>) -> Self {
        Self::Fixed(match self {
            Self::Tensor(param) => {
                let tensor = param.val();
                FixedWeight::tensor(if tensor.device().is_autodiff() { tensor.inner() } else { tensor }, changes)
            }
            Self::Stored(rows) => FixedWeight::stored(rows, changes),
            Self::Fixed(_) => panic!("a weight is fixed once"),
        })
    }

    /// All of it as a tensor: as it is, or made for the caller in the element type of the file, which is F32 for blocks and for
    /// what has changes.
    #[must_use]
    pub fn val(&self) -> Tensor<2> {
        match self {
            Self::Tensor(param) => param.val(),
            Self::Fixed(fixed) => match fixed.plain_rows() {
                Some(rows) => Self::Stored(rows.clone()).val(),
                None => fixed.rows(0..fixed.dims()[0]),
            },
            Self::Stored(rows) => {
                let dtype = match rows.format() {
                    Some(Format::F16) => DType::F16,
                    Some(Format::Bf16) => DType::BF16,
                    Some(Format::F32 | Format::Blocks(_)) | None => return dense(rows, 0..rows.shape()[0]),
                };
                let bytes = rows.pieces().iter().flat_map(|piece| piece.bytes.as_slice()).copied().collect();
                Tensor::from_data(TensorData::from_bytes_vec(bytes, rows.shape(), dtype), (&Device::flex(), dtype))
            }
        }
    }

    /// Some rows in F32.
    #[must_use]
    pub fn rows(&self, rows: std::ops::Range<usize>) -> Tensor<2> {
        match self {
            Self::Tensor(param) => in_f32(param.val().narrow(0, rows.start, rows.len())),
            Self::Stored(stored) => dense(stored, rows),
            Self::Fixed(fixed) => fixed.rows(rows),
        }
    }

    /// `x Wᵀ`: `[B, T, in]` → `[B, T, out]` in F32.
    #[must_use]
    pub fn project(&self, x: Tensor<3>) -> Tensor<3> {
        self.project_with(x, None)
    }

    /// `x Wᵀ + b`, `bias` `[out]`.
    pub(in crate::nn) fn project_with(&self, x: Tensor<3>, bias: Option<Tensor<1>>) -> Tensor<3> {
        let ([b, t, inputs], [outputs, _]) = (x.dims(), self.dims());
        let x = x.reshape([b * t, inputs]);
        let y = match self {
            Self::Stored(rows) if kernels::serve(&x.device()) => kernels::product_stored(x, rows, bias),
            Self::Stored(_) => {
                let weight = in_f32(self.val());
                product(x.clone(), if x.is_autodiff() { Tensor::from_inner(weight) } else { weight }, bias)
            }
            Self::Tensor(param) => product(x, param.val(), bias),
            Self::Fixed(fixed) => fixed.product(&x, bias),
        };
        y.reshape([b, t, outputs]) // [B, T, out]
    }

    /// Rows of a table `[V, D]` by their numbers: `[B, T]` → `[B, T, D]` in F32.
    #[must_use]
    pub fn look_up(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        match self {
            Self::Tensor(param) => embedding(param.val(), ids),
            Self::Fixed(fixed) => fixed.look_up(ids),
            Self::Stored(rows) => {
                let ([b, t], [_, width]) = (ids.dims(), rows.shape());
                let values: Vec<f32> =
                    ids.into_data().iter::<i64>().flat_map(|id| rows.values(id as usize..id as usize + 1)).collect();
                Tensor::from_data(TensorData::new(values, [b, t, width]), &Device::flex())
            }
        }
    }

    /// The parameter, for somebody who changes it.
    pub fn param_mut(&mut self) -> &mut Param<Tensor<2>> {
        if let Self::Stored(_) | Self::Fixed(_) = self {
            *self = self.val().into();
        }
        match self {
            Self::Tensor(param) => param,
            Self::Stored(_) | Self::Fixed(_) => unreachable!("made a tensor above"),
        }
    }

    /// The parameter: the one there is, or a new one.
    fn into_param(self) -> Param<Tensor<2>> {
        match self {
            Self::Tensor(param) => param,
            Self::Stored(_) | Self::Fixed(_) => Param::from_tensor(self.val()),
        }
    }
}

fn dense(stored: &StoredRows, rows: std::ops::Range<usize>) -> Tensor<2> {
    let shape = [rows.len(), stored.shape()[1]];
    Tensor::from_data(TensorData::new(stored.values(rows), shape), (&Device::flex(), DType::F32))
}

impl ModuleDisplayDefault for Weight {
    fn content(&self, content: Content) -> Option<Content> {
        match self {
            Self::Tensor(param) => param.content(content),
            Self::Stored(rows) => content.add_single(&format!("{rows:?}")).optional(),
            Self::Fixed(fixed) => content.add_single(&format!("{fixed:?}")).optional(),
        }
    }
}

impl ModuleDisplay for Weight {}

impl Module for Weight {
    fn collect_devices(&self, devices: Devices) -> Devices {
        match self {
            Self::Tensor(param) => param.collect_devices(devices),
            Self::Stored(_) | Self::Fixed(_) if devices.contains(&self.device()) => devices,
            Self::Stored(_) | Self::Fixed(_) => devices.into_iter().chain([self.device()]).collect(),
        }
    }

    fn fork(self, device: &Device) -> Self {
        match self {
            Self::Stored(_) if kernels::serve(device) => self,
            Self::Fixed(fixed) => Self::Fixed(fixed.moved(device, true)),
            _ => Self::Tensor(self.into_param().fork(device)),
        }
    }

    fn to_device(self, device: &Device) -> Self {
        match self {
            Self::Stored(_) if kernels::serve(device) => self,
            Self::Fixed(fixed) => Self::Fixed(fixed.moved(device, false)),
            _ => Self::Tensor(self.into_param().to_device(device)),
        }
    }

    fn train(self) -> Self {
        let learning = |param: Param<Tensor<2>>| param.train();
        match self {
            Self::Fixed(fixed) => Self::Fixed(fixed.map_changes(|change| LowRank {
                a: learning(change.a),
                b: learning(change.b),
                ..change
            })),
            other => Self::Tensor(learning(other.into_param())),
        }
    }

    fn valid(&self) -> Self {
        match self {
            Self::Tensor(param) => Self::Tensor(param.valid()),
            Self::Stored(_) => self.clone(),
            Self::Fixed(fixed) => Self::Fixed(fixed.clone().map_changes(|change| LowRank {
                a: change.a.valid(),
                b: change.b.valid(),
                ..change
            })),
        }
    }

    fn materialize(self) -> Self {
        match self {
            Self::Tensor(param) => Self::Tensor(param.materialize()),
            Self::Stored(_) | Self::Fixed(_) => self,
        }
    }

    fn num_params(&self) -> usize {
        self.dims().iter().product()
    }

    fn visit<Visitor: ModuleVisitor>(&self, visitor: &mut Visitor) {
        match self {
            Self::Tensor(param) => param.visit(visitor),
            Self::Fixed(fixed) => fixed.visit(visitor),
            Self::Stored(_) => self.clone().into_param().visit(visitor),
        }
    }

    fn map<Mapper: ModuleMapper>(self, mapper: &mut Mapper) -> Self {
        match self {
            Self::Fixed(fixed) => Self::Fixed(fixed.map(mapper)),
            other => Self::Tensor(Module::map(other.into_param(), mapper)),
        }
    }
}
