//! An edit in a few words: `head 4.2 off`, `token 5 hidden`.

use crate::types::{Edit, EditChange, Picks};

/// Edits that are told one by one.
const NAMED: usize = 3;
/// Letters of another prompt that are told.
const TOLD: usize = 24;

/// What an edit does, as short as it can be said. What has no words of its own is told as it is written.
pub(in crate::ui) fn words(edit: &Edit) -> String {
    let at = if edit.change == EditChange::Swap { String::new() } else { positions(&edit.positions) };
    match &edit.change {
        EditChange::Skip => format!("{} skipped{at}", blocks(&edit.site)),
        EditChange::Swap => format!("positions {} swapped", list(&edit.positions).replace(", ", " and ")),
        EditChange::Hide => hidden(edit),
        change => match place(edit) {
            Some(place) => format!("{place}{at} {}", becomes(change)),
            None => edit.to_string(),
        },
    }
}

/// What several edits do, in one line; the first few of many.
pub(in crate::ui) fn all_words(edits: &[Edit]) -> String {
    let named: Vec<String> = edits.iter().take(NAMED).map(words).collect();
    let more = edits.len().saturating_sub(NAMED);
    if more == 0 { named.join(", ") } else { format!("{} and {more} more", named.join(", ")) }
}

fn becomes(change: &EditChange) -> String {
    match change {
        EditChange::Zero => "off".to_owned(),
        EditChange::Mean => "at its mean".to_owned(),
        EditChange::MeanOver(set) if !set.name.is_empty() => format!("at its mean over {}", set.name),
        EditChange::MeanOver(set) if set.texts.len() == 1 => {
            format!("at its mean over “{}”", shortened(&set.texts[0]))
        }
        EditChange::MeanOver(set) => format!("at its mean over {} prompts", set.texts.len()),
        EditChange::From(prompt) => format!("from “{}”", shortened(prompt)),
        EditChange::Scale(factor) => format!("× {factor}"),
        EditChange::Hide => "hidden".to_owned(),
        EditChange::Swap => "swapped".to_owned(),
        EditChange::Skip => "skipped".to_owned(),
    }
}

/// The beginning of a text in one line.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().take(TOLD).collect();
    if cut.len() < line.len() { format!("{}…", cut.trim_end()) } else { cut }
}

/// A site of blocks: which, and what is behind that.
fn of_block(site: &str) -> Option<(&str, &str)> {
    site.strip_prefix("blocks.")?.split_once('.')
}

fn place(edit: &Edit) -> Option<String> {
    let site = edit.site.as_str();
    let Some((layer, own)) = of_block(site) else {
        return match site {
            "pos_embed" | "rotary" => Some("positions".to_owned()),
            "embed" => Some("embedding".to_owned()),
            _ => None,
        };
    };
    let is_number = layer.chars().all(|c| c.is_ascii_digit());
    let of = if layer == "*" { "of all layers".to_owned() } else { format!("of layer {layer}") };
    let numbered = |name: &str| match (layer, is_number) {
        ("*", _) => Some(format!("all {name}s")),
        (_, true) => Some(format!("{name} {layer}")),
        _ => None,
    };
    let kind = match own {
        "attn.z" => "",
        "attn.q" => "queries of ",
        "attn.k" => "keys of ",
        "attn.v" => "values of ",
        "attn.pattern" => "pattern of ",
        "mlp_out" => return numbered("MLP"),
        "attn_out" => return if layer == "*" { Some("all attention".to_owned()) } else { numbered("attention") },
        "resid_pre" => return is_number.then(|| format!("stream into block {layer}")),
        "resid_mid" => return is_number.then(|| format!("stream inside block {layer}")),
        "resid_post" => return is_number.then(|| format!("stream out of block {layer}")),
        _ => return None,
    };
    if !(is_number || layer == "*") {
        return None;
    }
    let heads = match edit.heads.one() {
        _ if edit.heads.are_all() => format!("all heads {of}"),
        Some(head) if is_number => format!("head {layer}.{head}"),
        Some(head) => format!("head {head} {of}"),
        None => format!("heads {} {of}", list(&edit.heads)),
    };
    let at_keys = if edit.keys.are_all() { String::new() } else { format!(" for {}", tokens(&edit.keys)) };
    Some(format!("{kind}{heads}{at_keys}"))
}

/// `token 5 hidden from head 2.3`.
fn hidden(edit: &Edit) -> String {
    let Some((layer, "attn.scores")) = of_block(&edit.site) else { return edit.to_string() };
    let keys = if edit.keys.are_all() { "all tokens".to_owned() } else { tokens(&edit.keys) };
    let from = match (layer, edit.heads.one()) {
        ("*", _) if edit.heads.are_all() => String::new(),
        (_, _) if edit.heads.are_all() => format!(" from layer {layer}"),
        ("*", _) => format!(" from heads {} of all layers", list(&edit.heads)),
        (_, Some(head)) => format!(" from head {layer}.{head}"),
        (_, None) => format!(" from heads {} of layer {layer}", list(&edit.heads)),
    };
    let queries = if edit.positions.are_all() { String::new() } else { format!(" for {}", tokens(&edit.positions)) };
    format!("{keys} hidden{from}{queries}")
}

fn blocks(site: &str) -> String {
    match site.strip_prefix("blocks.").unwrap_or(site) {
        "*" => "all blocks".to_owned(),
        layer => format!("block {layer}"),
    }
}

fn positions(picks: &Picks) -> String {
    if picks.are_all() { String::new() } else { format!(" at {}", tokens(picks)) }
}

fn tokens(picks: &Picks) -> String {
    match picks.one() {
        Some(-1) => "the last token".to_owned(),
        Some(token) => format!("token {token}"),
        None => format!("tokens {}", list(picks)),
    }
}

fn list(picks: &Picks) -> String {
    picks.to_string().replace("..", "–").replace(',', ", ")
}

/// What a number can be multiplied with at this edit; 0 for zero.
pub(super) fn factor(edit: &Edit) -> Option<f64> {
    match edit.change {
        EditChange::Zero => Some(0.0),
        EditChange::Scale(factor) => Some(factor),
        _ => None,
    }
}

/// The same edit with another factor.
pub(super) fn with_factor(edit: &Edit, factor: f64) -> Edit {
    let change = if factor == 0.0 { EditChange::Zero } else { EditChange::Scale(factor) };
    Edit { change, ..edit.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> String {
        words(&line.parse().unwrap_or_else(|error| panic!("{line}: {error}")))
    }

    #[test]
    fn an_edit_is_told_in_a_few_words() {
        for (line, expected) in [
            ("blocks.4.attn.z[2] = zero", "head 4.2 off"),
            ("blocks.4.attn.z[2] = scale 0.5", "head 4.2 × 0.5"),
            ("blocks.4.attn.z[0,3..5] = mean", "heads 0, 3–5 of layer 4 at its mean"),
            ("blocks.*.attn.z[2] = zero", "head 2 of all layers off"),
            ("blocks.4.attn.z = zero", "all heads of layer 4 off"),
            ("blocks.4.attn.z[2]@-1 = zero", "head 4.2 at the last token off"),
            ("blocks.3.mlp_out = zero", "MLP 3 off"),
            ("blocks.*.mlp_out = scale 2", "all MLPs × 2"),
            ("blocks.*.attn_out = zero", "all attention off"),
            ("blocks.2 = skip", "block 2 skipped"),
            ("blocks.*@3..4 = skip", "all blocks skipped at tokens 3–4"),
            ("blocks.*.attn.scores@>5 = hide", "token 5 hidden"),
            ("blocks.2.attn.scores[3]@>5 = hide", "token 5 hidden from head 2.3"),
            ("blocks.2.attn.scores@7>5..6 = hide", "tokens 5–6 hidden from layer 2 for token 7"),
            ("pos_embed = zero", "positions off"),
            ("rotary@2,5 = swap", "positions 2 and 5 swapped"),
            ("blocks.3.resid_pre@-1 = from \"a prompt\"", "stream into block 3 at the last token from “a prompt”"),
            ("blocks.3.attn.z[1] = mean over \"capitals\" [\"a\"]", "head 3.1 at its mean over capitals"),
            ("blocks.3.attn.v[1] = mean over [\"a\", \"b\"]", "values of head 3.1 at its mean over 2 prompts"),
            ("blocks.1*.mlp.post = zero", "blocks.1*.mlp.post = zero"),
        ] {
            assert_eq!(told(line), expected, "{line}");
        }
    }

    #[test]
    fn many_edits_are_counted() {
        let edits: Vec<Edit> = (0..5).map(|layer| format!("blocks.{layer} = skip").parse().unwrap()).collect();
        assert_eq!(all_words(&edits[..2]), "block 0 skipped, block 1 skipped");
        assert_eq!(all_words(&edits), "block 0 skipped, block 1 skipped, block 2 skipped and 2 more");
    }

    #[test]
    fn a_factor_of_nothing_is_zero() {
        let edit: Edit = "blocks.4.attn.z[2] = zero".parse().unwrap();
        assert_eq!(factor(&edit), Some(0.0));
        let half = with_factor(&edit, 0.5);
        assert_eq!((half.to_string().as_str(), factor(&half)), ("blocks.4.attn.z[2] = scale 0.5", Some(0.5)));
        assert_eq!(with_factor(&half, 0.0), edit);
        assert_eq!(factor(&"blocks.4.attn.z[2] = mean".parse().unwrap()), None);
    }
}
