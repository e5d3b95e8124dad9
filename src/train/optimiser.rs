//! One update of all weights: clipping, AdamW, and the rules of groups of parameters.

use super::trainable::Parameter;
use crate::nn::kernels;
use crate::types::{ParameterGroup, TrainSpec};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, GradientsParams, Optimizer};
use burn::tensor::{Bool, Device, Tensor, TensorData};
use std::any::Any;
use std::collections::BTreeMap;

/// Share of the first moment that an update keeps.
const BETA_1: f32 = 0.9;
/// Added to the root of the second moment.
const EPSILON: f32 = 1e-8;

/// AdamW (Loshchilov and Hutter 2019) over a whole module. Matrices and kernels decay; biases and gains do not, as they
/// set a level rather than a direction.
///
/// States are kept by the position of a parameter in the module, not by its identifier, so that they fit the same network
/// built again in another process.
pub(super) struct Optimiser {
    decaying: AdamW,
    plain: AdamW,
    beta_2: f32,
    weight_decay: f64,
    clip_norm: f64,
    groups: Vec<ParameterGroup>,
    /// The network's parameters in visiting order.
    parameters: Vec<Parameter>,
    /// `AdamWState<D>` of each parameter in visiting order; the rank is the parameter's own.
    states: Vec<Option<Box<dyn Any + Send>>>,
    /// Length of the last gradient of all parameters together, before it was clipped.
    length: f64,
}

/// The two moments of one parameter and how often it was updated, as a checkpoint keeps them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moments {
    /// Updates so far.
    pub time: usize,
    /// First moment, in the parameter's shape.
    pub first: Vec<f32>,
    /// Second moment, in the parameter's shape.
    pub second: Vec<f32>,
}

/// What differs from one update to the next.
#[derive(Clone, Copy)]
pub(super) struct StepRates<'a> {
    /// The run's learning rate.
    pub learning_rate: f64,
    /// Rates of groups in place of their own, by what names their parameters.
    pub of_groups: Option<&'a BTreeMap<String, f64>>,
    /// What gradients are multiplied with before anything else: where they are sums, this makes means of them.
    pub share: f64,
}

impl Optimiser {
    /// An optimiser without history, for a network with these parameters.
    pub(super) fn new(spec: &TrainSpec, beta_2: f32, parameters: Vec<Parameter>) -> Self {
        let config = AdamWConfig::new().with_beta_1(BETA_1).with_beta_2(beta_2).with_epsilon(EPSILON);
        Self {
            decaying: config.clone().with_weight_decay(spec.weight_decay as f32).build(),
            plain: config.with_weight_decay(0.0).build(),
            beta_2,
            weight_decay: spec.weight_decay,
            clip_norm: spec.clip_norm,
            groups: spec.groups.clone(),
            states: parameters.iter().map(|_| None).collect(),
            parameters,
            length: 0.0,
        }
    }

    /// The parameters it updates, in visiting order, those that are frozen among them.
    pub(super) fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Updates every weight that has a gradient. `net` carries autodiff and so does the result. `tokens` are those of the
    /// batch: where a group changes the rows it saw, only theirs change.
    pub(super) fn step<N: Module>(
        &mut self,
        net: N,
        mut gradients: GradientsParams,
        rates: StepRates<'_>,
        tokens: &[u32],
    ) -> N {
        self.length = length(&net, &gradients) * rates.share;
        let scale = self.scale(rates.share);
        net.map(&mut Update { optimiser: self, gradients: &mut gradients, rates, scale, tokens, position: 0 })
    }

    /// The same update as Burn's AdamW makes, on the CPU.
    fn in_one_pass<const D: usize>(
        &self,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamWState<D>>,
        learning_rate: f64,
        scale: Option<f32>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        let (time, first, second) = match state {
            Some(AdamWState { momentum }) => (momentum.time + 1, momentum.moment_1, momentum.moment_2),
            None => (1, weights.zeros_like(), weights.zeros_like()),
        };
        let (decay, betas) = (if D >= 2 { self.weight_decay } else { 0.0 }, [BETA_1, self.beta_2]);
        let rates = kernels::Rates::of_update(time, learning_rate, decay, betas, EPSILON, scale.unwrap_or(1.0));
        let [weights, first, second] = kernels::adamw([weights, gradient, first, second], rates);
        (weights, Some(AdamWState::new(AdaptiveMomentumState::new(time, first, second))))
    }

    /// What gradients are multiplied with, `share` among it, so that all of them together are at most `clip_norm` long.
    fn scale(&self, share: f64) -> Option<f32> {
        let is_longer = self.clip_norm > 0.0 && self.length > self.clip_norm;
        let scale = if is_longer { share * self.clip_norm / self.length } else { share };
        (scale != 1.0).then_some(scale as f32)
    }

    /// Length of the gradient of the last step, all parameters together, before it was clipped.
    pub(super) fn gradient_norm(&self) -> f64 {
        self.length
    }

    /// The state of every parameter that has one, in visiting order.
    pub(super) fn moments<N: Module>(&self, net: &N) -> Vec<Option<Moments>> {
        let mut reading = ReadStates { states: &self.states, moments: Vec::new() };
        net.visit(&mut reading);
        reading.moments
    }

    /// Takes over states that [`Self::moments`] gave for the same network.
    pub(super) fn restore<N: Module>(&mut self, net: &N, moments: Vec<Option<Moments>>, device: &Device) {
        let mut writing = WriteStates { moments: moments.into_iter(), states: Vec::new(), device };
        net.visit(&mut writing);
        self.states = writing.states;
    }
}

struct Update<'a> {
    optimiser: &'a mut Optimiser,
    gradients: &'a mut GradientsParams,
    rates: StepRates<'a>,
    scale: Option<f32>,
    tokens: &'a [u32],
    position: usize,
}

impl ModuleMapper for Update<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let position = self.position;
        self.position += 1;
        let optimiser = &mut *self.optimiser;
        let (id, tensor, mapper) = param.consume();
        let Some(gradient) = self.gradients.remove::<D>(id) else {
            return Param::from_mapped_value(id, tensor, mapper);
        };
        let group = optimiser.parameters[position].group.map(|group| &optimiser.groups[group]);
        let own = group.map_or(1.0, |group| {
            self.rates.of_groups.and_then(|rates| rates.get(&group.parameters)).copied().unwrap_or(group.rate)
        });
        let learning_rate = self.rates.learning_rate * own;
        let fixed_columns = group.map_or(0, |group| group.fixed_columns);
        let tokens = if group.is_some_and(|group| group.seen_rows_only) { self.tokens } else { &[] };
        let state = optimiser.states[position].take().and_then(|state| state.downcast::<AdamWState<D>>().ok());
        let state = state.map(|state| *state);
        let keeps = fixed_columns > 0 || !tokens.is_empty();
        let before = keeps.then(|| tensor.clone().inner());
        let (tensor, state) = if kernels::serve(&gradient.device()) {
            optimiser.in_one_pass(tensor.inner(), gradient, state, learning_rate, self.scale)
        } else {
            let gradient = match self.scale {
                Some(scale) => gradient.mul_scalar(scale),
                None => gradient,
            };
            let adamw = if D >= 2 { &optimiser.decaying } else { &optimiser.plain };
            adamw.step(learning_rate, tensor.inner(), gradient, state)
        };
        let tensor = match before {
            Some(before) => with_other_rows(with_last_columns(tensor, &before, fixed_columns), before, tokens),
            None => tensor,
        };
        optimiser.states[position] = state.map(|state| Box::new(state) as Box<dyn Any + Send>);
        Param::from_mapped_value(id, Tensor::from_inner(tensor).require_grad(), mapper)
    }
}

/// `tensor` with the last `count` values of every row as they were `before`.
fn with_last_columns<const D: usize>(tensor: Tensor<D>, before: &Tensor<D>, count: usize) -> Tensor<D> {
    let width = before.dims()[D - 1];
    if count == 0 {
        return tensor;
    }
    let learned = width - count.min(width);
    let kept = before.clone().narrow(D - 1, learned, width - learned);
    if learned == 0 { kept } else { Tensor::cat(vec![tensor.narrow(D - 1, 0, learned), kept], D - 1) }
}

/// `tensor` with all rows but those of `tokens` as they were `before`; as it is, where there are no tokens.
fn with_other_rows<const D: usize>(tensor: Tensor<D>, before: Tensor<D>, tokens: &[u32]) -> Tensor<D> {
    if tokens.is_empty() {
        return tensor;
    }
    let mut absent = vec![true; tensor.dims()[0]];
    tokens.iter().for_each(|token| absent[*token as usize] = false);
    let mut shape = [1; D];
    shape[0] = absent.len();
    let absent = Tensor::<D, Bool>::from_data(TensorData::new(absent, shape), &tensor.device());
    let dims = tensor.dims();
    tensor.mask_where(absent.expand(dims), before)
}

/// The length of all gradients together.
fn length<N: Module>(net: &N, gradients: &GradientsParams) -> f64 {
    let mut squares = Squares { gradients, sum: 0.0, elsewhere: None };
    net.visit(&mut squares);
    let elsewhere = squares.elsewhere.map_or(0.0, |sum| f64::from(sum.into_scalar::<f32>()));
    (squares.sum + elsewhere).sqrt()
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    sum: f64,
    /// Summed on a device that is waited for once.
    elsewhere: Option<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.get::<D>(param.id) else { return };
        if kernels::serve(&gradient.device()) {
            self.sum += f64::from(kernels::sum_of_squares(gradient));
        } else {
            let sum = gradient.square().sum();
            self.elsewhere = Some(self.elsewhere.take().map_or(sum.clone(), |before| before + sum));
        }
    }
}

struct ReadStates<'a> {
    states: &'a [Option<Box<dyn Any + Send>>],
    moments: Vec<Option<Moments>>,
}

impl ModuleVisitor for ReadStates<'_> {
    fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<D>>) {
        let state = self.states.get(self.moments.len()).and_then(Option::as_ref);
        let state = state.and_then(|state| state.downcast_ref::<AdamWState<D>>());
        self.moments.push(state.map(|AdamWState { momentum }| Moments {
            time: momentum.time,
            first: super::checkpoint::read_back(&momentum.moment_1),
            second: super::checkpoint::read_back(&momentum.moment_2),
        }));
    }
}

struct WriteStates<'a> {
    moments: std::vec::IntoIter<Option<Moments>>,
    states: Vec<Option<Box<dyn Any + Send>>>,
    device: &'a Device,
}

impl ModuleVisitor for WriteStates<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.shape();
        let tensor = |values| Tensor::<D>::from_data(TensorData::new(values, shape.clone()), self.device);
        let state = self.moments.next().flatten().map(|moments| {
            let momentum = AdaptiveMomentumState::new(moments.time, tensor(moments.first), tensor(moments.second));
            Box::new(AdamWState::new(momentum)) as Box<dyn Any + Send>
        });
        self.states.push(state);
    }
}

#[cfg(test)]
mod tests {
    use super::super::checkpoint::{read_back, weights_of};
    use super::super::init::{config_of, first_weights};
    use super::super::trainable::{freeze, parameters};
    use super::*;
    use crate::nn::{CausalLm, DigitConfig, DigitNet, Hooks};
    use crate::types::{DigitNetwork, Init, LlamaShape};
    use burn::tensor::Int;

    fn spec(more: &str) -> TrainSpec {
        toml::from_str(&format!(
            "learning_rate = 0.1\nbatch_size = 1\nsteps = 110\nwarmup_steps = 10\n{more}\n\
             [task]\nkind = \"digits\"\ndata = \"none\"\nnetwork = \"mlp\"\n"
        ))
        .unwrap()
    }

    fn optimiser<N: Module>(spec: &TrainSpec, net: &N) -> Optimiser {
        Optimiser::new(spec, 0.999, parameters(net, &spec.groups).unwrap())
    }

    fn rate(learning_rate: f64) -> StepRates<'static> {
        StepRates { learning_rate, of_groups: None, share: 1.0 }
    }

    fn net() -> DigitNet {
        DigitConfig::of(DigitNetwork::Mlp).init(1, &Device::flex()).train()
    }

    fn gradients(net: &DigitNet, factor: f32) -> GradientsParams {
        let image = Tensor::<2>::ones([1, 784], &Device::flex().autodiff());
        let loss = net.forward(image, &mut Hooks::off()).square().mean() * factor;
        GradientsParams::from_grads(loss.backward(), net)
    }

    /// Every weight and every gradient, flat, with 2 for matrices and 1 for biases.
    fn flat(net: &DigitNet, gradients: &GradientsParams) -> Vec<(usize, f32, f32)> {
        struct Reading<'a>(&'a GradientsParams, Vec<(usize, f32, f32)>);
        impl ModuleVisitor for Reading<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let weights = read_back(&param.val());
                let gradients = read_back(&self.0.get::<D>(param.id).unwrap());
                self.1.extend(weights.into_iter().zip(gradients).map(|(w, g)| (D, w, g)));
            }
        }
        let mut reading = Reading(gradients, Vec::new());
        net.visit(&mut reading);
        reading.1
    }

    #[test]
    fn the_first_step_is_adamw_by_hand_and_biases_do_not_decay() {
        let spec = spec("weight_decay = 0.3");
        let before = net();
        let grads = gradients(&before, 1.0);
        let expected: Vec<f64> = (flat(&before, &grads).into_iter())
            .map(|(rank, w, g)| {
                let (w, g) = (f64::from(w), f64::from(g));
                let decayed = if rank == 2 { w * (1.0 - 0.02 * 0.3) } else { w };
                // Corrected for their start at zero, both moments are the gradient and its square.
                decayed - 0.02 * g / (g.abs() + 1e-8)
            })
            .collect();
        let mut optimiser = optimiser(&spec, &before);
        let after = optimiser.step(before, grads, rate(0.02), &[]);
        let again = gradients(&after, 1.0);
        for ((_, w, _), expected) in flat(&after, &again).into_iter().zip(expected) {
            assert!((f64::from(w) - expected).abs() < 2e-5, "{w} instead of {expected}");
        }
    }

    #[test]
    fn embeddings_learn_at_their_own_rate() {
        let shape = LlamaShape {
            hidden: 16,
            layers: 1,
            heads: 2,
            kv_heads: 1,
            intermediate: 24,
            max_positions: 8,
            vocabulary: 300,
            init: Init::Normal,
        };
        let first = first_weights(&config_of(&shape, 300), Init::Normal, 1, &Device::flex()).train();
        let step = |group: ParameterGroup| {
            let ids = Tensor::<2, Int>::from_data([[1, 5, 9, 5]], &Device::flex().autodiff());
            let logits = CausalLm::Llama(first.clone()).logits_at(ids, &[2, 3], &mut Hooks::off());
            let grads = GradientsParams::from_grads(logits.square().mean().backward(), &first);
            let spec = TrainSpec { groups: vec![group], ..spec("weight_decay = 0.1") };
            let mut optimiser = optimiser(&spec, &first);
            let parameters = optimiser.parameters().to_vec();
            let after = weights_of(&optimiser.step(first.clone(), grads, rate(0.02), &[1, 5, 9]), &parameters);
            let before = weights_of(&first, &parameters);
            after
                .values()
                .zip(before.values())
                .map(|(after, before)| after.iter().zip(before).map(|(a, b)| (a - b).abs()).collect())
                .collect::<Vec<Vec<f32>>>()
        };
        let all = || ParameterGroup::of("token_embedding");
        let farthest = |moved: Vec<Vec<f32>>| -> Vec<f32> {
            moved.iter().map(|moved| moved.iter().copied().fold(0.0, f32::max)).collect()
        };
        let (whole, tenth) = (farthest(step(all())), farthest(step(ParameterGroup { rate: 0.1, ..all() })));
        // The first step of AdamW is as long as the rate wherever there is a gradient.
        assert!(whole.iter().all(|moved| (moved - 0.02).abs() < 1e-3), "{whole:?}");
        let slow: Vec<&f32> = tenth.iter().filter(|moved| (**moved - 0.002).abs() < 1e-4).collect();
        let same = tenth.iter().zip(&whole).filter(|(a, b)| a == b).count();
        assert_eq!((slow.len(), same), (1, whole.len() - 1), "the embeddings alone are slow: {tenth:?}");
        // Of 16 values the last 6 stay, whatever decays; nothing else does.
        let embeddings = step(ParameterGroup { fixed_columns: 6, ..all() })
            .into_iter()
            .find(|moved| moved.len() == 300 * 16)
            .unwrap();
        for row in embeddings.chunks(16) {
            assert!(
                row[..10].iter().all(|moved| *moved > 0.0) && row[10..].iter().all(|moved| *moved == 0.0),
                "{row:?}"
            );
        }
        // Lazy ones move where their token stands in the batch.
        let embeddings = step(ParameterGroup { seen_rows_only: true, ..all() })
            .into_iter()
            .find(|moved| moved.len() == 300 * 16)
            .unwrap();
        for (token, row) in embeddings.chunks(16).enumerate() {
            let moves = row.iter().all(|moved| *moved > 0.0);
            assert_eq!(moves, [1, 5, 9].contains(&token), "{token}: {row:?}");
            assert!(moves || row.iter().all(|moved| *moved == 0.0), "{token}: {row:?}");
        }
    }

    #[test]
    fn a_stage_gives_a_group_another_rate() {
        let spec = spec("groups = [{ parameters = \"layers.0\", rate = 0.5 }]");
        let (net, of_groups) = (net(), BTreeMap::from([("layers.0".to_owned(), 0.25)]));
        let first_moved = |of_groups| {
            let rates = StepRates { learning_rate: 0.02, of_groups, share: 1.0 };
            let after = optimiser(&spec, &net).step(net.clone(), gradients(&net, 1.0), rates, &[]).layer_weights();
            let before = net.layer_weights();
            let moved = after[0].values.iter().zip(before[0].values.iter()).map(|(a, b)| (a - b).abs());
            moved.fold(0.0, f32::max)
        };
        assert!((first_moved(None) - 0.01).abs() < 1e-5, "{}", first_moved(None));
        assert!((first_moved(Some(&of_groups)) - 0.005).abs() < 1e-5);
    }

    #[test]
    fn frozen_parameters_get_no_gradient_and_the_others_get_the_same() {
        let groups = [ParameterGroup { frozen: true, ..ParameterGroup::of("layers.0") }];
        let net = net();
        let (all, some) = (parameters(&net, &[]).unwrap(), parameters(&net, &groups).unwrap());
        let frozen = freeze(net.clone(), &some);
        struct Found<'a>(&'a GradientsParams, Vec<Option<Vec<f32>>>);
        impl ModuleVisitor for Found<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.1.push(self.0.get::<D>(param.id).map(|gradient| read_back(&gradient)));
            }
        }
        let found = |net: &DigitNet| {
            let gradients = gradients(net, 1.0);
            let mut found = Found(&gradients, Vec::new());
            net.visit(&mut found);
            found.1
        };
        for ((of_all, of_some), parameter) in found(&net).into_iter().zip(found(&frozen)).zip(&some) {
            assert_eq!(parameter.frozen, parameter.path.starts_with("layers.0."));
            assert_eq!(of_some, if parameter.frozen { None } else { of_all }, "{}", parameter.path);
        }
        let spec = TrainSpec { groups: groups.to_vec(), ..spec("weight_decay = 0.3") };
        let after = optimiser(&spec, &frozen).step(frozen.clone(), gradients(&frozen, 1.0), rate(0.02), &[]);
        let (after, before) = (weights_of(&after, &all), weights_of(&net, &all));
        for parameter in &some {
            assert_eq!(after[&parameter.path] == before[&parameter.path], parameter.frozen, "{}", parameter.path);
        }
    }

    #[test]
    fn groups_that_name_nothing_or_leave_nothing_to_learn_are_refused() {
        let refused = |group: ParameterGroup| parameters(&net(), &[group]).unwrap_err().to_string();
        assert!(refused(ParameterGroup::of("token_embedding")).contains("token_embedding"));
        assert!(refused(ParameterGroup { frozen: true, ..ParameterGroup::of("*") }).contains("Nothing"));
        let by_row = ParameterGroup { seen_rows_only: true, ..ParameterGroup::of("layers.0.weight") };
        assert!(refused(by_row).contains("no row for each token"));
    }

    #[test]
    fn clipping_bounds_the_norm_of_all_gradients_together() {
        let net = net();
        let grads = gradients(&net, 1000.0);
        let norm = flat(&net, &grads).iter().map(|(_, _, g)| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let scale = |clip: &str, share: f64| {
            let mut optimiser = optimiser(&spec(clip), &net);
            optimiser.step(net.clone(), gradients(&net, 1000.0), StepRates { share, ..rate(0.02) }, &[]);
            assert!((optimiser.gradient_norm() - norm * share).abs() < 1e-4 * norm * share);
            optimiser.scale(share)
        };
        let near = |scale: Option<f32>, wanted: f64| (f64::from(scale.unwrap()) - wanted).abs() < 1e-4 * wanted;
        assert!(near(scale("clip_norm = 0.5", 1.0), 0.5 / norm));
        assert!(near(scale("clip_norm = 0.5", 0.25), 0.5 / norm), "clipped is as long, whatever share is taken");
        assert_eq!((scale("clip_norm = 1e30", 1.0), scale("", 1.0)), (None, None));
        assert_eq!(scale("", 0.25), Some(0.25));
    }
}
