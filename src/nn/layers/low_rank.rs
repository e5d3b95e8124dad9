//! Matrices that stay as they are, and low-rank changes of their rows (LoRA, Hu et al. 2021).

use crate::nn::kernels;
use crate::nn::layers::linear::in_f32;
use crate::nn::layers::weight::Weight;
use crate::nn::stored::StoredRows;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rayon::prelude::*;
use std::ops::Range;

/// What is added to some rows of a matrix: `scale · B · A`.
#[derive(Clone, Debug)]
pub struct LowRank {
    /// What these rows are called, such as `q_proj`.
    pub name: String,
    /// Which rows.
    pub rows: Range<usize>,
    /// `[R, in]`.
    pub a: Param<Tensor<2>>,
    /// `[rows, R]`.
    pub b: Param<Tensor<2>>,
    /// The factor before the product.
    pub scale: f32,
}

impl LowRank {
    /// Adds the change to those of its rows that are among `wanted`: `values` are these, row-major, `width` numbers each.
    fn add_to(&self, values: &mut [f32], wanted: &Range<usize>, width: usize) {
        let ([rank, inputs], [outputs, _]) = (self.a.dims(), self.b.dims());
        assert!(inputs == width && outputs == self.rows.len(), "a change of {outputs} rows of {inputs} numbers");
        if rank == 0 || width == 0 {
            return;
        }
        let (a, b) = (host(self.a.val()), host(self.b.val()));
        values.par_chunks_mut(width).enumerate().for_each_init(
            || vec![0.0f32; width],
            |sum, (i, row)| {
                let Some(place) = (wanted.start + i).checked_sub(self.rows.start).filter(|i| *i < outputs) else {
                    return;
                };
                sum.fill(0.0);
                for (b, a) in b[place * rank..(place + 1) * rank].iter().zip(a.chunks_exact(width)) {
                    sum.iter_mut().zip(a).for_each(|(sum, a)| *sum += b * a);
                }
                row.iter_mut().zip(sum).for_each(|(x, sum)| *x += self.scale * *sum);
            },
        );
    }

    /// The change of the output: `x` `[N, in]`, `y` `[N, out]` → `[N, out]`.
    fn onto(&self, x: Tensor<2>, y: Tensor<2>) -> Tensor<2> {
        if kernels::serve_learning(&x.device()) {
            let u = kernels::product(x, self.a.val(), None); // [N, R]
            return kernels::add_product(y, u, self.b.val(), self.rows.start, self.scale);
        }
        let change = x.matmul(self.a.val().transpose()).matmul(self.b.val().transpose()) * self.scale; // [N, rows]
        let ([n, _], Range { start, end }) = (y.dims(), self.rows.clone());
        let changed = y.clone().narrow(1, start, end - start) + change;
        y.slice_assign([0..n, start..end], changed)
    }
}

/// A matrix `[out, in]` that does not learn. What is added to it may.
#[derive(Clone, Debug)]
pub struct FixedWeight {
    base: Base,
    changes: Vec<LowRank>,
}

#[derive(Clone, Debug)]
enum Base {
    Stored(StoredRows),
    /// Without autodiff.
    Tensor(Box<Tensor<2>>),
}

impl FixedWeight {
    /// Rows where they lie, with these changes.
    pub(super) fn stored(rows: StoredRows, changes: Vec<LowRank>) -> Self {
        Self { base: Base::Stored(rows), changes }
    }

    /// A tensor without autodiff, with these changes.
    pub(super) fn tensor(tensor: Tensor<2>, changes: Vec<LowRank>) -> Self {
        Self { base: Base::Tensor(Box::new(tensor)), changes }
    }

    /// The matrix without what is added, as it may learn again.
    #[must_use]
    pub fn base(&self) -> Weight {
        match &self.base {
            Base::Stored(rows) => rows.clone().into(),
            Base::Tensor(tensor) => Weight::from(Tensor::clone(tensor)),
        }
    }

    /// What is added to it.
    #[must_use]
    pub fn changes(&self) -> &[LowRank] {
        &self.changes
    }

    /// Where it lies, where nothing is added to it.
    pub(in crate::nn) fn plain_rows(&self) -> Option<&StoredRows> {
        match &self.base {
            Base::Stored(rows) if self.changes.is_empty() => Some(rows),
            _ => None,
        }
    }

    pub(super) fn dims(&self) -> [usize; 2] {
        match &self.base {
            Base::Stored(rows) => rows.shape(),
            Base::Tensor(tensor) => tensor.dims(),
        }
    }

    pub(super) fn device(&self) -> Device {
        match &self.base {
            Base::Stored(_) => Device::flex(),
            Base::Tensor(tensor) => tensor.device(),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let of = |tensor: &Param<Tensor<2>>| (tensor.dims().iter().product::<usize>() * size_of::<f32>()) as u64;
        let base = match &self.base {
            Base::Stored(rows) => rows.bytes(),
            Base::Tensor(tensor) => (tensor.dims().iter().product::<usize>() * tensor.dtype().size()) as u64,
        };
        base + self.changes.iter().map(|change| of(&change.a) + of(&change.b)).sum::<u64>()
    }

    /// Some rows with what is added to them, in F32, without autodiff.
    pub(super) fn rows(&self, rows: Range<usize>) -> Tensor<2> {
        let shape = [rows.len(), self.dims()[1]];
        let mut values = match &self.base {
            Base::Stored(stored) => stored.values(rows.clone()),
            Base::Tensor(tensor) => host(Tensor::clone(tensor).narrow(0, rows.start, rows.len())),
        };
        for change in &self.changes {
            change.add_to(&mut values, &rows, shape[1]);
        }
        Tensor::from_data(TensorData::new(values, shape), &self.device())
    }

    /// x Wᵀ + b: `[N, in]` → `[N, out]`. Gradients go to `x`, to what is added, and to a bias that learns.
    pub(super) fn product(&self, x: &Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
        let mut y = match &self.base {
            Base::Stored(rows) if kernels::serve_learning(&x.device()) => {
                kernels::product_fixed(x.clone(), rows.clone(), bias)
            }
            Base::Stored(rows) => {
                let all = rows.values(0..rows.shape()[0]);
                of_tensor(x.clone(), Tensor::from_data(TensorData::new(all, rows.shape()), &Device::flex()), bias)
            }
            Base::Tensor(tensor) => of_tensor(x.clone(), in_f32(Tensor::clone(tensor)), bias),
        };
        for change in &self.changes {
            y = change.onto(x.clone(), y);
        }
        y
    }

    /// Rows of a table by their numbers: `[B, T]` → `[B, T, D]` in F32. No gradient goes through it.
    pub(super) fn look_up(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let ([b, t], [_, width], with_gradients) = (ids.dims(), self.dims(), ids.device().is_autodiff());
        let mut values = Vec::with_capacity(b * t * width);
        for id in ids.into_data().iter::<i64>() {
            let row = id as usize..id as usize + 1;
            match self.plain_rows() {
                Some(rows) => values.append(&mut rows.values(row)),
                None => values.append(&mut host(self.rows(row))),
            }
        }
        let found = Tensor::from_data(TensorData::new(values, [b, t, width]), &self.device());
        if with_gradients { Tensor::from_inner(found) } else { found }
    }

    /// The same with other changes: those that learn come from what is trained.
    pub(super) fn map_changes(mut self, mut with: impl FnMut(LowRank) -> LowRank) -> Self {
        self.changes = self.changes.into_iter().map(&mut with).collect();
        self
    }

    /// The same where it is computed.
    pub(super) fn moved(self, device: &Device, fork: bool) -> Self {
        let base = match self.base {
            Base::Stored(rows) if kernels::serve_learning(device) => Base::Stored(rows),
            Base::Stored(rows) => {
                let values = rows.values(0..rows.shape()[0]);
                Base::Tensor(Box::new(Tensor::from_data(TensorData::new(values, rows.shape()), device)))
            }
            Base::Tensor(tensor) => Base::Tensor(Box::new(tensor.to_device(device))),
        };
        let param = |param: Param<Tensor<2>>| if fork { param.fork(device) } else { param.to_device(device) };
        let changes = self.changes.into_iter();
        let changes = changes.map(|change| LowRank { a: param(change.a), b: param(change.b), ..change }).collect();
        Self { base, changes }
    }

    pub(super) fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        for change in &self.changes {
            visitor.enter_module(&change.name, CONTAINER);
            for (name, param) in [("lora_A", &change.a), ("lora_B", &change.b)] {
                visitor.enter_module(name, CONTAINER);
                param.visit(visitor);
                visitor.exit_module(name, CONTAINER);
            }
            visitor.exit_module(&change.name, CONTAINER);
        }
    }

    pub(super) fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.map_changes(|LowRank { name, rows, a, b, scale }| {
            let mut in_field = |field, param: Param<Tensor<2>>| {
                mapper.enter_module(field, CONTAINER);
                let param = Module::map(param, mapper);
                mapper.exit_module(field, CONTAINER);
                param
            };
            let (a, b) = (in_field("lora_A", a), in_field("lora_B", b));
            LowRank { name, rows, a, b, scale }
        })
    }
}

const CONTAINER: &str = "Struct:LowRank";

/// x Wᵀ + b with a tensor that carries no autodiff.
fn of_tensor(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let weight = if x.device().is_autodiff() { Tensor::from_inner(weight) } else { weight };
    crate::nn::layers::linear::product(x, weight, bias)
}

fn host(tensor: Tensor<2>) -> Vec<f32> {
    in_f32(tensor).into_data().try_into_vec().expect("in F32")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Format, HeldBytes, Random, StoredPiece, Weight};
    use burn::module::Module;
    use burn::tensor::DType;
    use std::sync::Arc;

    fn values(random: &mut Random, count: usize) -> Vec<f32> {
        (0..count).map(|_| random.normal()).collect()
    }

    fn tensor(values: Vec<f32>, shape: [usize; 2]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    /// A weight of two pieces, F32 and BF16, as it lies in files, with a change of some rows of each.
    fn weight(random: &mut Random) -> (Weight, Tensor<2>) {
        let (inputs, outputs) = (24, [40, 30]);
        let mut bytes = Vec::new();
        values(random, inputs * outputs[0]).iter().for_each(|x| bytes.extend(x.to_le_bytes()));
        let first = bytes.len();
        values(random, inputs * outputs[1]).iter().for_each(|x| bytes.extend(half::bf16::from_f32(*x).to_le_bytes()));
        let (len, owner) = (bytes.len(), Arc::new(bytes));
        let piece = |format, rows, from: usize, to: usize| StoredPiece {
            format,
            rows,
            bytes: HeldBytes::new(owner.clone(), from, to - from).unwrap(),
        };
        let pieces = vec![piece(Format::F32, outputs[0], 0, first), piece(Format::Bf16, outputs[1], first, len)];
        let stored = StoredRows::new(pieces, inputs);
        let dense = tensor(stored.values(0..70), [70, inputs]);
        let change = |name: &str, rows: Range<usize>, random: &mut Random| LowRank {
            name: name.to_owned(),
            a: Param::from_tensor(tensor(values(random, 3 * inputs), [3, inputs])),
            b: Param::from_tensor(tensor(values(random, rows.len() * 3), [rows.len(), 3])),
            rows,
            scale: 0.5,
        };
        let changes = vec![change("q_proj", 4..20, random), change("v_proj", 50..70, random)];
        let mut full = dense;
        for change in &changes {
            let product = change.b.val().matmul(change.a.val()) * change.scale;
            let rows = change.rows.clone();
            let sum = full.clone().narrow(0, rows.start, rows.len()) + product;
            full = full.slice_assign([rows, 0..inputs], sum);
        }
        (Weight::from(stored).fixed(changes), full)
    }

    fn close(name: &str, ours: Tensor<2>, expected: Tensor<2>) {
        assert_eq!(ours.dims(), expected.dims(), "{name}");
        let difference: f32 = (ours - expected).abs().max().into_scalar();
        assert!(difference < 2e-5, "{name} differs by {difference}");
    }

    #[test]
    fn rows_and_products_have_what_is_added() {
        let mut random = Random::new(5, 0);
        let (weight, full) = weight(&mut random);
        assert_eq!((weight.dims(), weight.num_params()), ([70, 24], 70 * 24));
        close("all", weight.val(), full.clone());
        close("some", weight.rows(18..55), full.clone().narrow(0, 18, 37));
        let x = tensor(values(&mut random, 5 * 24), [5, 24]);
        let y = |x: Tensor<2>| weight.project(x.unsqueeze()).squeeze_dim::<2>(0);
        let expected = x.clone().matmul(full.clone().transpose());
        close("product", y(x.clone()), expected.clone());
        close("without kernels", kernels::without(|| y(x.clone())), expected);
        let ids = Tensor::<2, Int>::from_data([[0, 19, 69]], &Device::flex());
        let rows = full.select(0, Tensor::from_data([0, 19, 69], &Device::flex()));
        close("look-up", weight.look_up(ids).squeeze_dim(0), rows);
    }

    #[test]
    fn gradients_go_to_the_input_and_to_what_is_added() {
        let mut random = Random::new(6, 0);
        let (weight, full) = weight(&mut random);
        let [outer, x] = [70, 24].map(|width| tensor(values(&mut random, 9 * width), [9, width]));
        let base = match &weight {
            Weight::Fixed(fixed) => {
                tensor(host(FixedWeight { changes: Vec::new(), ..fixed.clone() }.rows(0..70)), [70, 24])
            }
            _ => unreachable!(),
        };
        let gradients = |weight: &Weight| {
            let Weight::Fixed(fixed) = weight else { unreachable!() };
            let x = Tensor::from_inner(x.clone()).require_grad();
            let y = weight.project(x.clone().unsqueeze()).squeeze_dim::<2>(0);
            let grads = (y * Tensor::from_inner(outer.clone())).sum().backward();
            let mut found = vec![x.grad(&grads).unwrap()];
            for change in fixed.changes() {
                found.extend([change.a.val(), change.b.val()].map(|leaf| leaf.grad(&grads).unwrap()));
            }
            found
        };
        // dx = dy W', dA = s Bᵀ dyᵀ x, dB = s dyᵀ x Aᵀ of the rows that a change has.
        let Weight::Fixed(fixed) = &weight else { unreachable!() };
        let mut expected = vec![outer.clone().matmul(full)];
        for change in fixed.changes() {
            let of_full = outer.clone().narrow(1, change.rows.start, change.rows.len()).transpose().matmul(x.clone());
            expected.push(change.b.val().transpose().matmul(of_full.clone()) * change.scale);
            expected.push(of_full.matmul(change.a.val().transpose()) * change.scale);
        }
        let learning = weight.clone().train();
        let in_tensor = Weight::from(base).fixed(fixed.changes().to_vec()).train();
        for (way, found) in [
            ("stored", gradients(&learning)),
            ("tensor", gradients(&in_tensor)),
            ("without kernels", kernels::without(|| gradients(&learning))),
        ] {
            for (i, (found, expected)) in found.into_iter().zip(&expected).enumerate() {
                let largest: f32 = expected.clone().abs().max().into_scalar();
                close(&format!("{way}, gradient {i}"), found / largest, expected.clone() / largest);
            }
        }
        // What is fixed is no parameter: only what is added is visited.
        struct Count(usize);
        impl ModuleVisitor for Count {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                assert_eq!(param.val().dtype(), DType::F32);
                self.0 += 1;
            }
        }
        let mut count = Count(0);
        learning.valid().visit(&mut count);
        assert_eq!(count.0, 4);
    }

    #[test]
    fn gradients_pass_through_weights_in_blocks() {
        if !kernels::serve(&Device::flex()) {
            return;
        }
        let (inputs, outputs, mut random) = (64, 20, Random::new(7, 0));
        let mut bytes = Vec::new();
        for _ in 0..outputs * inputs / 32 {
            bytes.extend(half::f16::from_f32(0.01 + 0.01 * random.uniform()).to_le_bytes());
            bytes.extend((0..32).map(|_| random.below(256) as u8));
        }
        let (len, format) = (bytes.len(), Format::Blocks(crate::nn::blocks::BlockType::Q8_0));
        let bytes = HeldBytes::new(Arc::new(bytes), 0, len).unwrap();
        let rows = StoredRows::new(vec![StoredPiece { format, rows: outputs, bytes }], inputs);
        let dense = tensor(rows.values(0..outputs), [outputs, inputs]);
        let weight = Weight::from(rows).fixed(Vec::new());
        let x = Tensor::from_inner(tensor(values(&mut random, 6 * inputs), [6, inputs])).require_grad();
        let outer = tensor(values(&mut random, 6 * outputs), [6, outputs]);
        let y = weight.project(x.clone().unsqueeze()).squeeze_dim::<2>(0);
        let grads = (y * Tensor::from_inner(outer.clone())).sum().backward();
        close("dx", x.grad(&grads).unwrap(), outer.matmul(dense));
    }
}
