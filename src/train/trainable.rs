//! The parameters of a network by path, and the group whose rules each follows.

use crate::types::{ParameterGroup, TrainSpec, UserError};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// The path of a text model's token embeddings.
const TOKEN_EMBEDDING: &str = "token_embedding";

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    /// Names of the fields that lead to it, with dots between: `blocks.0.mlp_out.weight`.
    pub path: String,
    /// The place of its group in the spec, if one names it.
    pub group: Option<usize>,
    /// It does not learn.
    pub frozen: bool,
    /// Numbers it holds.
    pub count: usize,
}

/// The way to a parameter while a module is visited.
#[derive(Default)]
pub(super) struct PathNames(Vec<String>);

impl PathNames {
    /// Goes down into a field. The variant of an enum of networks is no part of a path: which one it is, the model says.
    pub(super) fn enter(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.push(name.to_owned());
        }
    }

    /// Comes up again.
    pub(super) fn exit(&mut self, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.pop();
        }
    }

    /// The path of where the visit is.
    pub(super) fn path(&self) -> String {
        self.0.join(".")
    }
}

/// Every parameter of the network, in visiting order.
///
/// # Errors
/// When a group names none of them or has a rule they cannot follow, or nothing is left to learn.
pub(super) fn parameters<N: Module>(net: &N, groups: &[ParameterGroup]) -> Result<Vec<Parameter>, UserError> {
    struct Naming<'a> {
        names: PathNames,
        groups: &'a [ParameterGroup],
        found: Vec<Parameter>,
        shapes: Vec<Vec<usize>>,
    }
    impl ModuleVisitor for Naming<'_> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.names.enter(name, container);
        }

        fn exit_module(&mut self, _name: &str, container: &str) {
            self.names.exit(container);
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.shapes.push(param.shape().to_vec());
            let path = self.names.path();
            let group = self.groups.iter().position(|group| group.holds_for(&path));
            let frozen = group.is_some_and(|group| self.groups[group].frozen);
            self.found.push(Parameter { path, group, frozen, count: param.shape().num_elements() });
        }
    }
    let mut naming = Naming { names: PathNames::default(), groups, found: Vec::new(), shapes: Vec::new() };
    net.visit(&mut naming);
    let Naming { found, shapes, .. } = naming;
    for group in groups {
        if !found.iter().any(|parameter| group.holds_for(&parameter.path)) {
            let some = found.iter().map(|p| p.path.as_str()).take(4).collect::<Vec<_>>().join(", ");
            return Err(UserError::new(
                format!("No parameter of the network is called {}.", group.parameters),
                format!("A group has rules for it. The network's parameters begin with {some}."),
                "Change the group's parameters in the recipe, or leave the group out.",
            ));
        }
    }
    // The rows of a token table are its tokens; nothing else has rows that a batch sees or does not see.
    let tokens = found.iter().zip(&shapes).find(|(p, _)| p.path == TOKEN_EMBEDDING).map(|(_, shape)| shape[0]);
    for (parameter, shape) in found.iter().zip(&shapes) {
        let by_row = parameter.group.is_some_and(|group| groups[group].seen_rows_only);
        if by_row && (shape.len() != 2 || Some(shape[0]) != tokens) {
            return Err(UserError::new(
                format!("{} cannot change in rows that were seen only.", parameter.path),
                "It has no row for each token of the vocabulary.",
                format!("Give seen_rows_only to {TOKEN_EMBEDDING} alone."),
            ));
        }
    }
    if found.iter().all(|parameter| parameter.frozen) {
        return Err(UserError::new(
            "Nothing would be learned.",
            "Every parameter of the network belongs to a group that is frozen.",
            "Freeze fewer parameters.",
        ));
    }
    Ok(found)
}

/// Every parameter of the network of a run, in visiting order; `freezes` tells which stay as they are whatever the recipe says. Where
/// an adapter is learned, nothing else is but what `learns_whole` tells of.
///
/// # Errors
/// As [`parameters`].
pub(super) fn parameters_of<N: Module>(
    net: &N,
    spec: &TrainSpec,
    freezes: impl Fn(&str) -> bool,
    learns_whole: impl Fn(&str) -> bool,
) -> Result<Vec<Parameter>, UserError> {
    let mut found = parameters(net, &spec.groups)?;
    found.iter_mut().for_each(|parameter| parameter.frozen |= freezes(&parameter.path));
    if spec.lora.is_some() {
        let learns = |path: &str| path.ends_with(".lora_A") || path.ends_with(".lora_B") || learns_whole(path);
        found.iter_mut().for_each(|parameter| parameter.frozen |= !learns(&parameter.path));
    }
    Ok(found)
}

/// The network, which carries autodiff, with no gradient computed for its frozen parameters.
pub(super) fn freeze<N: Module>(net: N, parameters: &[Parameter]) -> N {
    struct Freezing<'a>(std::slice::Iter<'a, Parameter>);
    impl ModuleMapper for Freezing<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let frozen = self.0.next().is_some_and(|parameter| parameter.frozen);
            if frozen { param.set_require_grad(false) } else { param }
        }
    }
    net.map(&mut Freezing(parameters.iter()))
}
