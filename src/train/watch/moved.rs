//! How far each parameter went from where a run began.

use crate::train::checkpoint::read_back;
use crate::train::trainable::PathNames;
use crate::types::Moved;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// The distance of each parameter of `now` from that of `start`, a network of the same shape; both are without autodiff. Sums are F64.
pub(super) fn moved<N: Module>(now: &N, start: &N) -> Vec<Moved> {
    let mut first = Listing::default();
    start.visit(&mut first);
    let mut second = Comparing { names: PathNames::default(), start: first.0.into_iter(), moved: Vec::new() };
    now.visit(&mut second);
    second.moved
}

/// Parameters in visiting order, flat. They share their values with the network.
#[derive(Default)]
struct Listing(Vec<Tensor<1>>);

impl ModuleVisitor for Listing {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().flatten(0, D - 1));
    }
}

struct Comparing {
    names: PathNames,
    start: std::vec::IntoIter<Tensor<1>>,
    moved: Vec<Moved>,
}

impl ModuleVisitor for Comparing {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.names.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.names.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(start) = self.start.next() else { return };
        let (now, start) = (read_back(&param.val()), read_back(&start));
        let (mut by, mut from) = (0.0, 0.0);
        for (now, start) in now.iter().zip(&start) {
            by += (f64::from(*now) - f64::from(*start)).powi(2);
            from += f64::from(*start).powi(2);
        }
        let root = |sum: f64| Some(sum.sqrt()).filter(|root| root.is_finite());
        self.moved.push(Moved { path: self.names.path(), by: root(by), from: root(from) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::DigitConfig;
    use crate::types::DigitNetwork;
    use burn::tensor::Device;

    #[test]
    fn distances_are_those_of_the_values() {
        let net = |seed| DigitConfig::of(DigitNetwork::Mlp).init(seed, &Device::flex());
        let (now, start) = (net(2), net(1));
        let found = moved(&now, &start);
        let wanted: f64 = (now.layer_weights()[0].values.iter().zip(start.layer_weights()[0].values.iter()))
            .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
            .sum();
        assert!(found.iter().any(|moved| (moved.by.unwrap() - wanted.sqrt()).abs() < 1e-9), "{found:?}");
        assert!(found.iter().all(|moved| !moved.path.is_empty()));
        assert!(moved(&now, &now).iter().all(|moved| moved.by == Some(0.0)));
    }
}
