//! A model, mostly one in GGUF, to a folder in Hugging Face layout. The folder is made beside its place and moved there whole.

use super::tensors::{Listed, Tensors, tables};
use crate::disk;
use crate::load::encoder::encoder_config;
use crate::load::error::LoadError;
use crate::load::source::{CONFIG_FILE, ModelSource, source};
use crate::load::tensors::container::WEIGHTS_FILE;
use crate::load::text::config::{self, architecture};
use crate::load::text::family;
use crate::load::tokens::special_tokens::SETTINGS_FILE;
use crate::load::tokens::tokenizer::{TOKENIZER_FILE, Tokenizer};
use crate::load::tokens::tokenizer_class::{TokenizerClass, UsualClass};
use crate::types::{ConvertSpec, ConvertType, Converted, ModelKind, Precision};
use half::f16;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Special tokens with a role, in transformers' order.
const ROLES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

pub(super) fn convert(spec: &ConvertSpec) -> Result<Converted, LoadError> {
    let precision = match spec.kind {
        ConvertType::F32 => Precision::F32,
        ConvertType::F16 => Precision::F16,
        ConvertType::Q8_0 => {
            return Err(LoadError::UnsupportedOption {
                path: spec.to.clone(),
                field: "--type".to_owned(),
                value: "q8_0".to_owned(),
                supported: "f32 and f16 in safetensors".to_owned(),
            });
        }
    };
    let name = spec.to.file_name().unwrap_or_default().to_string_lossy();
    let aside = spec.to.with_file_name(format!(".{name}.part"));
    let failed = |source| LoadError::Write { path: aside.clone(), source };
    disk::remove_folder(&aside).map_err(failed)?;
    std::fs::create_dir_all(&aside).map_err(failed)?;
    let written = fill(spec, &aside, precision);
    let placed = written.and_then(|tensors| {
        disk::put_folder(&aside, &spec.to)
            .map_err(|source| LoadError::Write { path: spec.to.clone(), source })
            .map(|()| tensors)
    });
    if placed.is_err() {
        let _ = disk::remove_folder(&aside);
    }
    Ok(Converted { path: spec.to.clone(), tensors: placed?, bytes: super::bytes_of(&spec.to), notes: Vec::new() })
}

/// Writes every file of the folder; how many tensors there are.
fn fill(spec: &ConvertSpec, dir: &Path, precision: Precision) -> Result<usize, LoadError> {
    let source = source(&spec.from);
    let source = &*source;
    let fields = source.config()?;
    let architecture = architecture(&fields)?;
    let files = source.weights()?;
    let mut tensors = Tensors::of(&files, architecture)?;
    let unknown: Vec<String> =
        tensors.all.iter().map(|listed| listed.name.clone()).filter(|name| name.starts_with("blk.")).collect();
    if let (false, Some(first)) = (unknown.is_empty(), tensors.all.first()) {
        return Err(LoadError::UnexpectedTensors { path: tensors.path(first), names: unknown });
    }
    let (tokenizer, context);
    let is_text = architecture.kind() == ModelKind::CausalLm;
    let text = if is_text { Some(config::read_settings(source)?) } else { None };
    if text.as_ref().is_some_and(|text| family::family(&text.config).tied()) {
        tensors.name_single_table(tables(architecture));
    }
    let mut wanted: Vec<&Listed> = tensors.all.iter().collect();
    if let Some(mut settings) = text {
        let family = family::family(&settings.config);
        tokenizer = source.tokenizer(family.tokenizer_class(), settings.config.vocabulary())?;
        context = settings.config.context();
        let [head, embedding] = tables(architecture);
        if family.tied() && tensors.find(head).is_some() {
            if tensors.same(head, embedding)? {
                wanted.retain(|listed| listed.name != head);
            } else {
                family::untie(&mut settings.config);
            }
        }
        let family = family::family(&settings.config);
        wanted.retain(|listed| !family.is_harmless(&listed.name));
        config::write_settings(&settings, precision, dir)?;
    } else {
        let settings = encoder_config::read_settings(&fields, architecture)?;
        let class = UsualClass::unless_named(TokenizerClass::Bert);
        tokenizer = source.tokenizer(class, settings.config.shape().vocabulary)?;
        context = settings.config.context();
        let mut config: Map<String, Value> =
            fields.entries().map(|(name, value)| (name.clone(), value.clone())).collect();
        config.insert("torch_dtype".to_owned(), json!(precision.torch_name()));
        crate::load::write_json(&dir.join(CONFIG_FILE), &Value::Object(config))?;
    }
    write_tokenizer(source, &tokenizer, context, dir)?;
    write_weights(&dir.join(WEIGHTS_FILE), &tensors, &wanted, precision)?;
    Ok(wanted.len())
}

/// tokenizer.json, tokenizer_config.json and the chat templates.
fn write_tokenizer(
    source: &dyn ModelSource,
    tokenizer: &Tokenizer,
    context: usize,
    dir: &Path,
) -> Result<(), LoadError> {
    if tokenizer.is_none() {
        return Ok(());
    }
    tokenizer.to_file(&dir.join(TOKENIZER_FILE))?;
    let mut fields = Map::new();
    fields.insert("tokenizer_class".to_owned(), json!("PreTrainedTokenizerFast"));
    fields.insert("model_max_length".to_owned(), json!(context));
    fields.insert("clean_up_tokenization_spaces".to_owned(), json!(false));
    for role in ROLES {
        if let Some(token) = source.special_token(role)? {
            fields.insert(role.to_owned(), json!(token));
        }
    }
    if let Ok(chat) = source.chat_template() {
        fields.extend(chat.special_tokens().clone());
        chat.write(dir)?;
    }
    crate::load::write_json(&dir.join(SETTINGS_FILE), &Value::Object(fields))
}

/// Writes safetensors with one tensor in memory at a time. Vectors stay F32: they are few, and what they were in GGUF.
fn write_weights(
    path: &PathBuf,
    tensors: &Tensors<'_>,
    wanted: &[&Listed],
    precision: Precision,
) -> Result<(), LoadError> {
    let failed = |source| LoadError::Write { path: path.clone(), source };
    let kind = |listed: &Listed| if listed.shape.len() > 1 { precision } else { Precision::F32 };
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), json!({ "format": "pt" }));
    let mut end = 0;
    for listed in wanted {
        let start = end;
        end += listed.shape.iter().product::<usize>() as u64 * kind(listed).bytes();
        let dtype = if kind(listed) == Precision::F32 { "F32" } else { "F16" };
        let entry = json!({ "dtype": dtype, "shape": listed.shape, "data_offsets": [start, end] });
        header.insert(listed.name.clone(), entry);
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    file.write_all(&(header.len() as u64).to_le_bytes()).and_then(|()| file.write_all(&header)).map_err(failed)?;
    for listed in wanted {
        let values = tensors.values(listed)?;
        let bytes: Vec<u8> = match kind(listed) {
            Precision::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            precision => {
                if let Some(value) = values.iter().copied().find(|x| !f16::from_f32(*x).is_finite()) {
                    let (path, name) = (tensors.path(listed), listed.name.clone());
                    return Err(LoadError::OutOfRange { path, name, value, precision });
                }
                values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect()
            }
        };
        file.write_all(&bytes).map_err(failed)?;
    }
    file.flush().map_err(failed)?;
    file.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)
}
