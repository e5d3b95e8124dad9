//! An adapter on an open model: put there, switched on and off, scaled, taken off.

use super::{LoadedModel, Step, Task, TaskContext, not_open, wrong_kind};
use crate::engine::{AdapterSpec, Event, Outcome};
use crate::load::{self, Adapter, Attached, ClassifierBody, ClassifierModel, LoadError, Named, learns_changes};
use crate::nn::TextBody;
use crate::types::{ADAPTER_FACTORS, AdapterSetting, ModelId, ModelInfo, ModelKind, UserError};
use burn::tensor::Device;
use std::sync::Arc;

/// Reads an adapter and puts it on an open model, in the place of one that was there.
pub(crate) struct OpenAdapter {
    model: ModelId,
    spec: AdapterSpec,
}

impl OpenAdapter {
    /// To put what `spec` names on `model`.
    pub(crate) fn new(model: ModelId, spec: AdapterSpec) -> Self {
        Self { model, spec }
    }
}

impl Task for OpenAdapter {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        check(self.spec.setting)?;
        let label = format!("Opening {}", self.spec.path.display());
        (cx.emit)(Event::Progress { job: cx.job, label, done: 0, total: 1, unit: "adapters" });
        let Some(loaded) = cx.models.get_mut(self.model) else { return Err(not_open()) };
        refuse_learning(loaded)?;
        let adapter = Arc::new(load::read_adapter(&self.spec.path)?);
        if let Some(mut bare) = without_head(loaded, cx.device)? {
            put(&mut bare, &adapter, self.spec.setting, cx.device)?;
            *loaded = bare;
        } else {
            put(loaded, &adapter, self.spec.setting, cx.device)?;
        }
        (cx.emit)(loaded.event());
        Ok(Step::Done(Outcome::Adapted { model: self.model }))
    }
}

/// Uses the adapter of an open model in another way.
pub(crate) struct SetAdapter {
    model: ModelId,
    setting: Option<AdapterSetting>,
}

impl SetAdapter {
    /// To use that of `model` as a setting says, or to take it off.
    pub(crate) fn new(model: ModelId, setting: Option<AdapterSetting>) -> Self {
        Self { model, setting }
    }
}

impl Task for SetAdapter {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        self.setting.map_or(Ok(()), check)?;
        let Some(loaded) = cx.models.get_mut(self.model) else { return Err(not_open()) };
        refuse_learning(loaded)?;
        match self.setting {
            Some(setting) => set(loaded, setting)?,
            None => take_off(loaded, cx.device)?,
        }
        (cx.emit)(loaded.event());
        Ok(Step::Done(Outcome::Adapted { model: self.model }))
    }
}

fn check(setting: AdapterSetting) -> Result<(), UserError> {
    if ADAPTER_FACTORS.contains(&setting.factor) {
        return Ok(());
    }
    Err(UserError::new(
        format!("An adapter cannot be used {} times.", setting.factor),
        format!(
            "Its change is multiplied with a factor from {} to {}; 1 is what it was trained for.",
            ADAPTER_FACTORS.start(),
            ADAPTER_FACTORS.end()
        ),
        "Choose a factor between these.",
    ))
}

/// While a run learns an adapter, the network is that run's.
fn refuse_learning(loaded: &LoadedModel) -> Result<(), UserError> {
    let learns = match loaded {
        LoadedModel::Text(model) => learns_changes(&model.lm),
        LoadedModel::Encoder(model) => learns_changes(&model.encoder),
        LoadedModel::Classifier(model) => learns_changes(&model.net()),
        LoadedModel::Vision(model) => learns_changes(&model.vit),
        LoadedModel::Digits(_) => false,
    };
    if !learns {
        return Ok(());
    }
    Err(UserError::new(
        format!("The adapter of {} cannot be changed now.", loaded.info().name),
        "A training run is learning one on it.",
        "Stop the run, or wait for its end.",
    ))
}

/// Puts an adapter on a model that is open. One that holds a head for classes makes a classifier of a model without one.
///
/// # Errors
/// When it does not fit, which leaves the model as it was.
pub(super) fn put(
    loaded: &mut LoadedModel,
    adapter: &Arc<Adapter>,
    setting: AdapterSetting,
    device: &Device,
) -> Result<(), UserError> {
    let info = loaded.info();
    if wants_head(loaded, adapter) && info.modified {
        return Err(UserError::new(
            format!("{} cannot be put on {} as it is.", adapter.info.name, info.name),
            "The adapter holds a head for classes, and the weights below it were changed and are in no file.",
            "Save the model first.",
        ));
    }
    let mut told = adapter.info.clone();
    told.setting = setting;
    match put_on(loaded, adapter, setting, device) {
        Ok(Put::AsItIs) => {}
        Ok(Put::WithHead { numbers_classes }) => (told.holds_head, told.numbers_classes) = (true, numbers_classes),
        Err(error) => {
            let (error, info) = (UserError::from(error), loaded.info());
            let made_for =
                adapter.info.base.as_ref().map_or(String::new(), |base| format!(" It says it was made for {base}."));
            return Err(UserError { why: format!("{}{made_for}", error.why), ..error }
                .with_detail(format!("the open model is {}", info.name)));
        }
    }
    if matches!(loaded, LoadedModel::Digits(_)) {
        return Err(wrong_kind(loaded.info(), ModelKind::CausalLm));
    }
    loaded.info_mut().adapter = Some(Box::new(told));
    Ok(())
}

/// How an adapter was put on a model.
enum Put {
    AsItIs,
    /// With a head of its own.
    WithHead {
        numbers_classes: bool,
    },
}

/// True where an adapter is for classes, and the model has none or others.
fn wants_head(loaded: &LoadedModel, adapter: &Adapter) -> bool {
    let labels = match loaded {
        LoadedModel::Text(_) | LoadedModel::Encoder(_) => &[][..],
        LoadedModel::Vision(model) => &model.labels,
        LoadedModel::Classifier(model) => &model.tells.labels,
        LoadedModel::Digits(_) => return false,
    };
    if !labels.is_empty() {
        return adapter.has_other_classes(labels);
    }
    adapter.tells_classes() || adapter.head_classes(loaded.info().architecture).is_some()
}

fn put_on(
    loaded: &mut LoadedModel,
    adapter: &Arc<Adapter>,
    setting: AdapterSetting,
    device: &Device,
) -> Result<Put, LoadError> {
    if wants_head(loaded, adapter) {
        return with_head(loaded, adapter, setting, device);
    }
    match loaded {
        LoadedModel::Text(model) => {
            let (attached, lm) = attached(model.adapter.as_deref(), &model.lm, adapter, setting)?;
            model.use_network(lm);
            model.adapter = Some(attached);
        }
        LoadedModel::Encoder(model) => {
            let (attached, encoder) = attached(model.adapter.as_deref(), &model.encoder, adapter, setting)?;
            (model.encoder, model.adapter) = (encoder, Some(attached));
        }
        LoadedModel::Classifier(model) => {
            let (attached, net) = attached(model.adapter.as_deref(), &model.net(), adapter, setting)?;
            model.put(net);
            model.adapter = Some(attached);
        }
        LoadedModel::Vision(model) => {
            let (attached, vit) = attached(model.adapter.as_deref(), &model.vit, adapter, setting)?;
            (model.vit, model.adapter) = (vit, Some(attached));
        }
        LoadedModel::Digits(_) => {}
    }
    Ok(Put::AsItIs)
}

/// An adapter with the network it is put on, in the place of one that is there, and what both are together.
fn attached<N: Named + Clone>(
    before: Option<&Attached<N>>,
    net: &N,
    adapter: &Arc<Adapter>,
    setting: AdapterSetting,
) -> Result<(Box<Attached<N>>, N), LoadError> {
    let base = before.map_or(net, |before| &before.base).clone();
    let attached = Attached { adapter: Arc::clone(adapter), base };
    let together = attached.network(setting)?;
    Ok((Box::new(attached), together))
}

/// Makes a classifier of a model without classes, with the head that an adapter holds.
fn with_head(
    loaded: &mut LoadedModel,
    adapter: &Arc<Adapter>,
    setting: AdapterSetting,
    device: &Device,
) -> Result<Put, LoadError> {
    let body = match &*loaded {
        LoadedModel::Text(model) => {
            let mut body = model.clone();
            if let Some(before) = body.adapter.take() {
                body.use_network(before.base);
            }
            ClassifierBody::Decoder(body)
        }
        LoadedModel::Encoder(model) => {
            let mut body = model.clone();
            if let Some(before) = body.adapter.take() {
                body.encoder = before.base;
            }
            ClassifierBody::Encoder(body)
        }
        LoadedModel::Vision(model) => {
            let mut bare = model.clone();
            if let Some(before) = bare.adapter.take() {
                bare.vit = before.base;
            }
            let (mut model, numbers_classes) = bare.with_head_of(adapter, device)?;
            let attached = attach_whole(&model.vit, adapter)?;
            model.vit = attached.network(setting)?;
            model.adapter = Some(attached);
            *loaded = LoadedModel::Vision(model);
            return Ok(Put::WithHead { numbers_classes });
        }
        LoadedModel::Classifier(model) => {
            let mut body = model.body.clone();
            match (&mut body, model.adapter.as_deref().map(|before| &before.base.body)) {
                (ClassifierBody::Decoder(body), Some(TextBody::Decoder(lm))) => body.lm = lm.clone(),
                (ClassifierBody::Encoder(body), Some(TextBody::Encoder(encoder))) => body.encoder = encoder.clone(),
                _ => {}
            }
            body
        }
        LoadedModel::Digits(_) => return Ok(Put::AsItIs),
    };
    let (mut model, numbers_classes) = ClassifierModel::with_head_of(adapter, body, device)?;
    let attached = attach_whole(&model.net(), adapter)?;
    model.put(attached.network(setting)?);
    model.adapter = Some(attached);
    *loaded = LoadedModel::Classifier(model);
    Ok(Put::WithHead { numbers_classes })
}

/// An adapter on a network that is given the head it holds for good: switched off, that head stays on the body as it was.
fn attach_whole<N: Named + Clone>(net: &N, adapter: &Arc<Adapter>) -> Result<Box<Attached<N>>, LoadError> {
    let base = adapter.with_whole(net)?;
    Ok(Box::new(Attached { adapter: Arc::clone(adapter), base }))
}

/// The model as its folder has it, where its head is that of its adapter; nothing where it has one of its own, or none.
fn without_head(loaded: &LoadedModel, device: &Device) -> Result<Option<LoadedModel>, UserError> {
    let info = loaded.info();
    if info.adapter.as_ref().is_none_or(|adapter| !adapter.holds_head) {
        return Ok(None);
    }
    let mut read = super::open::read(info.id, &info.path, device, &mut |_, _| {})?;
    read.info_mut().name.clone_from(&info.name);
    Ok(Some(read))
}

fn set(loaded: &mut LoadedModel, setting: AdapterSetting) -> Result<(), UserError> {
    match loaded {
        LoadedModel::Text(model) => {
            let attached = model.adapter.as_ref().ok_or_else(|| none_there(&model.info))?;
            let lm = attached.network(setting)?;
            model.use_network(lm);
        }
        LoadedModel::Encoder(model) => {
            let attached = model.adapter.as_ref().ok_or_else(|| none_there(&model.info))?;
            model.encoder = attached.network(setting)?;
        }
        LoadedModel::Classifier(model) => {
            let attached = model.adapter.as_ref().ok_or_else(|| none_there(model.info()))?;
            let net = attached.network(setting)?;
            model.put(net);
        }
        LoadedModel::Vision(model) => {
            let attached = model.adapter.as_ref().ok_or_else(|| none_there(&model.info))?;
            model.vit = attached.network(setting)?;
        }
        LoadedModel::Digits(model) => return Err(none_there(&model.info)),
    }
    if let Some(told) = &mut loaded.info_mut().adapter {
        told.setting = setting;
    }
    Ok(())
}

fn take_off(loaded: &mut LoadedModel, device: &Device) -> Result<(), UserError> {
    if let Some(bare) = without_head(loaded, device)? {
        *loaded = bare;
        return Ok(());
    }
    match loaded {
        LoadedModel::Text(model) => {
            let attached = model.adapter.take().ok_or_else(|| none_there(&model.info))?;
            model.use_network(attached.base);
        }
        LoadedModel::Encoder(model) => {
            let attached = model.adapter.take().ok_or_else(|| none_there(&model.info))?;
            model.encoder = attached.base;
        }
        LoadedModel::Classifier(model) => {
            let attached = model.adapter.take().ok_or_else(|| none_there(model.info()))?;
            model.put(attached.base);
        }
        LoadedModel::Vision(model) => {
            let attached = model.adapter.take().ok_or_else(|| none_there(&model.info))?;
            model.vit = attached.base;
        }
        LoadedModel::Digits(model) => return Err(none_there(&model.info)),
    }
    loaded.info_mut().adapter = None;
    Ok(())
}

fn none_there(model: &ModelInfo) -> UserError {
    UserError::new(
        format!("{} has no adapter.", model.name),
        "None was opened on it, or it was taken off, as training of all weights does.",
        "Open an adapter first.",
    )
}
