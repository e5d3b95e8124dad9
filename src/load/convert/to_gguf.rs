//! A folder in Hugging Face layout, or another file in GGUF, to one file in GGUF, laid out as llama.cpp's converter does.

use super::described::{self, Described};
use super::spelled;
use super::tensors::{Listed, Tensors, tables};
use crate::load::encoder::encoder_config;
use crate::load::error::LoadError;
use crate::load::gguf::{Family, Names, NewTensor, Setting, WrittenType, write};
use crate::load::source::{ModelSource, source};
use crate::load::tensors::arrangement::Arrangement;
use crate::load::text::config::{self, architecture};
use crate::load::text::family;
use crate::load::tokens::tokenizer::Tokenizer;
use crate::load::tokens::tokenizer_class::{TokenizerClass, UsualClass};
use crate::nn::blocks::BlockType;
use crate::types::{Architecture, ConvertSpec, ConvertType, Converted, ModelKind, Precision};
use half::f16;

/// The name of the token embedding in a file.
const EMBEDDING: &str = "token_embd.weight";
/// Tables that llama.cpp wants in F32.
const TABLES: [&str; 2] = ["position_embd.weight", "token_types.weight"];
/// What the file says of its types: the number of the one that most of it has.
const FILE_TYPES: [(ConvertType, u32); 3] = [(ConvertType::F32, 0), (ConvertType::F16, 1), (ConvertType::Q8_0, 7)];

/// A model on its way.
struct Model {
    described: Described,
    tokenizer: Tokenizer,
    bos: Option<u32>,
    eos: Vec<u32>,
    /// True for tensors of the files that are no weights.
    is_harmless: Box<dyn Fn(&str) -> bool>,
    /// The head and the embedding that it may be, by our names.
    tied: Option<[&'static str; 2]>,
}

/// Where the values of a tensor come from.
enum From {
    Tensor(Listed, Arrangement),
    Table(Vec<f32>),
}

pub(super) fn convert(spec: &ConvertSpec) -> Result<Converted, LoadError> {
    let source = source(&spec.from);
    let source = &*source;
    let fields = source.config()?;
    let architecture = architecture(&fields)?;
    let model = if architecture.kind() == ModelKind::CausalLm { text(source)? } else { encoder(source, architecture)? };
    let files = source.weights()?;
    let mut tensors = Tensors::of(&files, architecture)?;
    if let Some(tables) = model.tied {
        tensors.name_single_table(tables);
    }
    let (described, mut notes) = (&model.described, model.described.notes.clone());
    let names = Names { family: Some(described.family), heads: described.heads, kv_heads: described.kv_heads };

    let (mut new, mut from) = (Vec::new(), Vec::new());
    let mut add = |name: String, shape: Vec<usize>, values: From| {
        new.push(NewTensor { kind: type_of(&name, &shape, spec.kind), name, shape });
        from.push(values);
    };
    if let Some(factors) = &described.rope_factors {
        add("rope_freqs.weight".to_owned(), vec![factors.len()], From::Table(factors.clone()));
    }
    let head_again = match model.tied {
        Some([head, embedding]) if tensors.same(head, embedding)? => Some(head),
        _ => None,
    };
    let mut left_out = Vec::new();
    for listed in &tensors.all {
        if (model.is_harmless)(&listed.name) && Some(listed.name.as_str()) != model.tied.map(|[head, _]| head) {
            continue;
        }
        if Some(listed.name.as_str()) == head_again {
            continue;
        }
        let Some((name, arrangement)) = names.back(&listed.name) else {
            left_out.push(listed.name.clone());
            continue;
        };
        let mut shape = listed.shape.clone();
        if arrangement == Arrangement::Turned {
            shape.reverse();
        }
        add(name, shape, From::Tensor(listed.clone(), arrangement));
    }
    refuse_or_tell(&left_out, described.family, &tensors, &mut notes)?;
    // llama.cpp looks for a head of its own in these.
    if described.family == Family::GptNeox && new.iter().all(|tensor| tensor.name != "output.weight") {
        let embedding = tensors.find("gpt_neox.embed_in.weight").cloned();
        if let (Some(embedding), Some(place)) = (embedding, new.iter().position(|tensor| tensor.name == EMBEDDING)) {
            new.push(NewTensor { name: "output.weight".to_owned(), ..new[place].clone() });
            from.push(From::Tensor(embedding, Arrangement::AsNamed));
        }
    }
    let settings = settings(spec, source, &model)?;
    let count = new.len();
    write(&spec.to, &settings, &new.clone(), &mut |place| match &from[place] {
        From::Table(values) => Ok(values.clone()),
        From::Tensor(listed, arrangement) => {
            let values = arrangement.put_back(tensors.values(listed)?, &listed.shape);
            let fits = new[place].kind != WrittenType::F16 || values.iter().all(|x| f16::from_f32(*x).is_finite());
            match fits {
                true => Ok(values),
                false => Err(too_large(&tensors, listed, &values)),
            }
        }
    })?;
    Ok(Converted { path: spec.to.clone(), tensors: count, bytes: super::bytes_of(&spec.to), notes })
}

/// The type a tensor is written in: vectors and small tables stay F32, and rows that do not fill their blocks F16.
fn type_of(name: &str, shape: &[usize], kind: ConvertType) -> WrittenType {
    let is_matrix = shape.len() > 1 && !TABLES.contains(&name);
    match kind {
        _ if !is_matrix => WrittenType::F32,
        ConvertType::F32 => WrittenType::F32,
        ConvertType::F16 => WrittenType::F16,
        ConvertType::Q8_0 => {
            let fills = shape.last().is_some_and(|row| row.is_multiple_of(BlockType::Q8_0.elements()));
            if fills { WrittenType::Q8_0 } else { WrittenType::F16 }
        }
    }
}

fn too_large(tensors: &Tensors<'_>, listed: &Listed, values: &[f32]) -> LoadError {
    let value = values.iter().copied().find(|x| !f16::from_f32(*x).is_finite()).unwrap_or_default();
    let (path, name) = (tensors.path(listed), listed.name.clone());
    LoadError::OutOfRange { path, name, value, precision: Precision::F16 }
}

/// An encoder's head and pooler have no place, as in llama.cpp; anything else that has none would give wrong results.
fn refuse_or_tell(
    left_out: &[String],
    family: Family,
    tensors: &Tensors<'_>,
    notes: &mut Vec<String>,
) -> Result<(), LoadError> {
    let may_go = |name: &String| family == Family::Bert && (name.starts_with("cls.") || name.starts_with("pooler."));
    let others: Vec<String> = left_out.iter().filter(|name| !may_go(name)).cloned().collect();
    if !others.is_empty() {
        let path = tensors.all.first().map_or_else(Default::default, |first| tensors.path(first));
        return Err(LoadError::UnexpectedTensors { path, names: others });
    }
    if !left_out.is_empty() {
        notes.push(format!("The head and the pooler have no place in GGUF: {} tensors are left out.", left_out.len()));
    }
    Ok(())
}

fn text(source: &dyn ModelSource) -> Result<Model, LoadError> {
    let settings = config::read_settings(source)?;
    let family = family::family(&settings.config);
    let described = described::of_text(&settings.config, source.path())?;
    let tokenizer = source.tokenizer(family.tokenizer_class(), settings.config.vocabulary())?;
    let config = settings.config.clone();
    Ok(Model {
        described,
        tokenizer,
        bos: settings.bos,
        eos: settings.eos,
        is_harmless: Box::new(move |name| family::family(&config).is_harmless(name)),
        tied: family.tied().then(|| tables(settings.config.architecture())),
    })
}

fn encoder(source: &dyn ModelSource, architecture: Architecture) -> Result<Model, LoadError> {
    let fields = source.config()?;
    let settings = encoder_config::read_settings(&fields, architecture)?;
    let pooling = source.sentence_settings()?.map(|sentence| sentence.pooling);
    let described = described::of_encoder(&settings.config, pooling, source.path())?;
    let usual = UsualClass::unless_named(TokenizerClass::Bert);
    let tokenizer = source.tokenizer(usual, described.vocabulary)?;
    let is_harmless = |name: &str| name.ends_with("position_ids") || name.ends_with("token_type_ids");
    Ok(Model { described, tokenizer, bos: None, eos: Vec::new(), is_harmless: Box::new(is_harmless), tied: None })
}

/// All settings, in the order in which llama.cpp's converter writes them.
fn settings(spec: &ConvertSpec, source: &dyn ModelSource, model: &Model) -> Result<Vec<(String, Setting)>, LoadError> {
    let architecture = model.described.family.name();
    let text = |text: &str| Setting::Text(text.to_owned());
    let mut settings = vec![
        ("general.architecture".to_owned(), text(architecture)),
        ("general.type".to_owned(), text("model")),
        ("general.name".to_owned(), text(&source.name())),
    ];
    settings.extend(source.licence().map(|licence| ("general.license".to_owned(), Setting::Text(licence))));
    let own = model.described.settings.iter().map(|(name, value)| (format!("{architecture}.{name}"), value.clone()));
    settings.extend(own);
    let number = FILE_TYPES.iter().find(|(kind, _)| *kind == spec.kind).map_or(0, |(_, number)| *number);
    settings.push(("general.file_type".to_owned(), Setting::Whole(number)));
    settings.push(("general.quantization_version".to_owned(), Setting::Whole(2)));
    settings.extend(spelled::settings(&model.tokenizer, model.described.vocabulary, source.path())?);
    settings.extend(special(source, model)?);
    if let Ok(chat) = source.chat_template() {
        let mut named = Vec::new();
        for (name, template) in chat.texts() {
            let default = name == "default";
            let key =
                if default { "tokenizer.chat_template".to_owned() } else { format!("tokenizer.chat_template.{name}") };
            settings.push((key, text(template)));
            if !default {
                named.push(name.to_owned());
            }
        }
        if !named.is_empty() {
            settings.push(("tokenizer.chat_templates".to_owned(), Setting::Texts(named)));
        }
    }
    Ok(settings)
}

/// Ids of special tokens, and which of them the tokenizer puts before and behind a text.
fn special(source: &dyn ModelSource, model: &Model) -> Result<Vec<(String, Setting)>, LoadError> {
    let tokenizer = &model.tokenizer;
    if tokenizer.is_none() {
        return Ok(Vec::new());
    }
    let placed = tokenizer.placed("a")?;
    let first = placed.first().filter(|token| token.is_added).map(|token| token.id);
    let last = placed.last().filter(|token| token.is_added).map(|token| token.id);
    let named = |role: &str| -> Result<Option<u32>, LoadError> {
        Ok(source.special_token(role)?.and_then(|text| tokenizer.token_id(&text)))
    };
    let is_encoder = model.described.family == Family::Bert;
    let usual = |text: &str| is_encoder.then(|| tokenizer.token_id(text)).flatten();
    let bos = first.or(model.bos).or(named("bos_token")?);
    let eos = last.or(model.eos.first().copied()).or(named("eos_token")?);
    let ids = [
        ("bos", bos),
        ("eos", eos),
        // What ends a turn beside what ends a text.
        ("eot", model.eos.iter().copied().find(|id| Some(*id) != eos)),
        ("unknown", named("unk_token")?.or(usual("[UNK]"))),
        ("seperator", named("sep_token")?.or(usual("[SEP]"))),
        ("padding", named("pad_token")?.or(usual("[PAD]"))),
        ("cls", named("cls_token")?.or(usual("[CLS]"))),
        ("mask", named("mask_token")?.or(usual("[MASK]"))),
    ];
    let mut settings: Vec<(String, Setting)> = ids
        .into_iter()
        .filter_map(|(role, id)| Some((format!("tokenizer.ggml.{role}_token_id"), Setting::Whole(id?))))
        .collect();
    if !is_encoder {
        settings.push(("tokenizer.ggml.add_bos_token".to_owned(), Setting::Flag(first.is_some())));
        settings.push(("tokenizer.ggml.add_eos_token".to_owned(), Setting::Flag(last.is_some())));
    }
    Ok(settings)
}
