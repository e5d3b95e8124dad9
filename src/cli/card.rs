//! `fovea card`.

use super::CliError;
use super::args::CardArgs;
use super::output::{print, print_json};
use super::session::model_dir;
use crate::engine::{list_tensors, read_card};
use crate::types::{ModelCard, Precision, TensorEntry, bytes_in_words, count_in_words, printable};
use serde::Serialize;

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    card: &'a ModelCard,
    weight_bytes_f32: Option<u64>,
    weight_bytes_f16: Option<u64>,
    kv_cache_bytes_per_token_f32: Option<u64>,
    flops_per_token_without_context: Option<u64>,
    flops_per_token_at_full_context: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tensors: Option<Vec<TensorEntry>>,
}

/// Describes a model without opening it.
pub(super) fn run(args: &CardArgs) -> Result<(), CliError> {
    let dir = model_dir(&args.model)?;
    let card = read_card(&dir)?;
    let tensors = if args.tensors { Some(list_tensors(&dir)?) } else { None };
    if !args.json {
        return print(&(describe(&card) + &tensors.as_deref().map(table).unwrap_or_default()));
    }
    print_json(&Whole {
        weight_bytes_f32: card.weight_bytes(Precision::F32),
        weight_bytes_f16: card.weight_bytes(Precision::F16),
        kv_cache_bytes_per_token_f32: card.kv_cache_bytes(Precision::F32),
        flops_per_token_without_context: card.flops_per_token(0),
        flops_per_token_at_full_context: card.context.and_then(|context| card.flops_per_token(context)),
        card: &card,
        tensors,
    })
}

fn describe(card: &ModelCard) -> String {
    let mut lines = vec![card.name.clone(), String::new()];
    let mut line = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{name:<22}{value}")));
    };
    let number = |value: Option<u64>| value.map(|n| n.to_string());
    let runs = if card.architecture.is_some() { "" } else { " (cannot be run)" };
    line("architecture", Some(format!("{}{runs}", card.architecture_name)));
    line("parameters", card.parameters.map(|n| format!("{n} ({})", count_in_words(n))));
    line("stored as", card.types_in_words());
    line("layers", number(card.layers));
    let kv =
        card.kv_heads.filter(|kv| Some(*kv) != card.heads).map(|kv| format!(", {kv} key-value")).unwrap_or_default();
    line("heads a layer", card.heads.map(|heads| format!("{heads}{kv}")));
    line("head width", number(card.head_dim));
    line("hidden width", number(card.hidden));
    line("MLP width", number(card.intermediate));
    line("context", card.context.map(|n| format!("{n} tokens")));
    line("vocabulary", number(card.vocabulary));
    line("weights in F32", card.weight_bytes(Precision::F32).map(bytes_in_words));
    line("weights in F16", card.weight_bytes(Precision::F16).map(bytes_in_words));
    line("KV cache in F32", card.kv_cache_bytes(Precision::F32).map(|n| format!("{} a token", bytes_in_words(n))));
    line(
        "operations a token",
        card.flops_per_token(0).map(|n| {
            let attention =
                if card.architecture.is_some_and(|known| !known.attends()) { "" } else { ", and attention" };
            format!("{} FLOP{attention}", count_in_words(n))
        }),
    );
    let full = card.context.and_then(|context| card.flops_per_token(context));
    line("  at full context", full.map(|n| format!("{} FLOP", count_in_words(n))));
    line("chat template", Some(if card.has_chat_template { "yes" } else { "no" }.to_owned()));
    line("licence", card.licence.clone());
    let place = if card.path.is_file() { "file" } else { "folder" };
    line(place, Some(printable(&card.path.display().to_string()).into_owned()));
    line("tensors", card.unreadable.clone());
    lines.push(String::new());
    let width = card.files.iter().map(|file| file.name.chars().count()).max().unwrap_or(0);
    lines.extend(card.files.iter().map(|f| format!("{:<width$}  {:>8}", f.name, bytes_in_words(f.bytes))));
    lines.join("\n") + "\n"
}

fn table(tensors: &[TensorEntry]) -> String {
    let width = tensors.iter().map(|t| printable(&t.name).chars().count()).max().unwrap_or(0);
    let row = |t: &TensorEntry| {
        let shape = t.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("×");
        let (name, dtype) = (printable(&t.name), printable(&t.dtype));
        format!("{name:<width$}  {shape:>14}  {dtype:<4}  {:>8}\n", bytes_in_words(t.bytes))
    };
    format!("\n{}", tensors.iter().map(row).collect::<String>())
}
