//! Every site of every family, with the kernels of the CPU and without: a change there changes all that follows from it,
//! and nothing else.

use super::{DECODERS, ENCODERS, FORWARD, PICTURES, assert_close, encoder, text, values, vision};
use super::{Reference, golden_dir};
use burn::tensor::{Device, Tensor, TensorData};
use fovea::load::read_picture;
use fovea::nn::{Change, DigitConfig, EncoderBatch, Hooks, SiteEdit, SiteValue, in_full_precision, kernels};
use fovea::types::{Axis, Capture, DigitNetwork, Site};

/// A pass over one of two inputs, and what comes out: scores, or the last site of a network without a head.
type Pass<'a> = &'a dyn Fn(usize, &mut Hooks) -> Vec<f32>;

/// What a site is computed from, where a model has all of them.
fn sources(site: Site, layers: usize, is_parallel: bool) -> Vec<Site> {
    match site {
        Site::ResidPre(0) => vec![Site::Embed, Site::TokenTypeEmbed, Site::PosEmbed],
        Site::ResidPre(l) => vec![Site::ResidPost(l - 1)],
        Site::Q(l) | Site::K(l) => vec![Site::ResidPre(l), Site::Rotary],
        Site::V(l) => vec![Site::ResidPre(l)],
        Site::Scores(l) => vec![Site::Q(l), Site::K(l)],
        Site::Pattern(l) => vec![Site::Scores(l)],
        Site::Z(l) => vec![Site::Pattern(l), Site::V(l)],
        Site::AttnProj(l) => vec![Site::Z(l)],
        Site::AttnOut(l) => vec![Site::AttnProj(l)],
        Site::ResidMid(l) => vec![Site::ResidPre(l), Site::AttnOut(l)],
        Site::MlpPre(l) if is_parallel => vec![Site::ResidPre(l)],
        Site::MlpPre(l) => vec![Site::ResidMid(l)],
        // Of the gate; what it multiplies has no site of its own.
        Site::MlpPost(l) if is_parallel => vec![Site::MlpPre(l), Site::ResidPre(l)],
        Site::MlpPost(l) => vec![Site::MlpPre(l), Site::ResidMid(l)],
        Site::MlpProj(l) => vec![Site::MlpPost(l)],
        Site::MlpOut(l) => vec![Site::MlpProj(l)],
        Site::ResidPost(l) => vec![Site::ResidMid(l), Site::MlpOut(l)],
        Site::LnFinal => vec![Site::ResidPost(layers - 1)],
        Site::Pooled => vec![Site::LnFinal],
        Site::Logits => vec![Site::LnFinal, Site::Layer(layers - 1)],
        Site::Layer(l) if l > 0 => vec![Site::Layer(l - 1)],
        _ => Vec::new(),
    }
}

/// True when `site` follows from `of`.
fn follows(site: Site, of: Site, layers: usize, is_parallel: bool) -> bool {
    sources(site, layers, is_parallel)
        .into_iter()
        .any(|source| source == of || follows(source, of, layers, is_parallel))
}

/// The value of a site in another pass. Positions, which are the same in every pass, run the other way; a table of one
/// row gives twice that row.
fn other_value(clean: &Capture, other: &Capture) -> SiteValue {
    let mut given = other.values.to_vec();
    if matches!(clean.site, Site::PosEmbed | Site::Rotary) {
        let width = given.len() / other.shape[0];
        given = given.chunks_exact(width).rev().flatten().copied().collect();
    } else if given[..] == clean.values[..] {
        given.iter_mut().for_each(|value| *value *= 2.0);
    }
    SiteValue::new(given, &other.shape, &Device::flex())
}

/// Every change at every site of one model.
fn check(name: &str, sites: &[Site], layers: usize, pass: Pass<'_>) {
    let is_parallel = !sites.contains(&Site::ResidMid(0));
    let recorded = |input: usize, edits: Vec<SiteEdit>| {
        let mut hooks = Hooks::off().recording(sites.iter().copied().collect(), None).editing(edits);
        let out = pass(input, &mut hooks);
        (hooks.into_captures().0, out)
    };
    let (clean, clean_out) = recorded(0, Vec::new());
    let (other, _) = recorded(1, Vec::new());
    let last = if sites.contains(&Site::Logits) { Site::Logits } else { Site::ResidPost(layers - 1) };
    assert_eq!(clean.iter().map(|capture| capture.site).collect::<Vec<_>>(), sites, "{name}");
    for (place, &site) in sites.iter().enumerate() {
        let changes = [Change::Zero, Change::Set(Box::new(other_value(&clean[place], &other[place])))];
        for (change, what) in changes.into_iter().zip(["zero", "another value"]) {
            let of = format!("{name}, {site} to {what}");
            let edit = SiteEdit::whole(site, change);
            let (edited, out) = recorded(0, vec![edit.clone()]);
            for (before, after) in clean.iter().zip(&edited) {
                let depends = before.site == site || follows(before.site, site, layers, is_parallel);
                let is_same = before.values.iter().zip(after.values.iter()).all(|(a, b)| a.to_bits() == b.to_bits());
                assert_eq!(
                    is_same,
                    !depends,
                    "{of}: {} is {}",
                    before.site,
                    if is_same { "the same" } else { "another" }
                );
            }
            let reaches = site == last || follows(last, site, layers, is_parallel);
            assert_eq!(clean_out != out, reaches, "{of}: the output");
            // The same without anybody looking, where shortcuts are taken.
            assert_close(&pass(0, &mut Hooks::off().editing(vec![edit])), &out, FORWARD, &of);
        }
    }
}

/// A site is checked with kernels and without.
fn both_ways(name: &str, sites: &[Site], layers: usize, with: Pass<'_>, plain: Pass<'_>) {
    check(name, sites, layers, with);
    kernels::without(|| check(&format!("{name} without kernels"), sites, layers, plain));
}

#[test]
fn a_change_at_any_site_of_a_decoder_reaches_all_that_follows_and_nothing_else() {
    for name in DECODERS {
        let (lm, reference) = (text(name, &Device::flex()).lm, Reference::read(name));
        let full = in_full_precision(lm.clone());
        let pass = |lm: &fovea::nn::CausalLm, input, hooks: &mut Hooks| {
            values(lm.forward(lm.ids(&reference.sequence(input)), hooks))
        };
        let (with, plain) = (|i, h: &mut Hooks| pass(&lm, i, h), |i, h: &mut Hooks| pass(&full, i, h));
        both_ways(name, &lm.sites(), lm.layers(), &with, &plain);
    }
}

#[test]
fn a_change_at_any_site_of_an_encoder_reaches_all_that_follows_and_nothing_else() {
    for name in ENCODERS {
        let (model, reference) = (encoder(name, &Device::flex()), Reference::read(name));
        let full = in_full_precision(model.encoder.clone());
        let first = reference.sequence(0);
        let second: Vec<u32> = first.iter().rev().copied().collect();
        let types = |ids: &[u32], input: usize| ids.iter().map(|id| (id % 2) * input as u32).collect::<Vec<_>>();
        let has_types = reference.has("types");
        let batch = |input: usize| {
            let ids = if input == 0 { &first } else { &second };
            let batch = EncoderBatch::one(ids);
            if has_types { batch.with_types(vec![types(ids, input)]) } else { batch }
        };
        let pass = |net: &fovea::nn::TextEncoder, input, hooks: &mut Hooks| {
            let hidden = net.forward(&batch(input), hooks).hidden;
            values(net.logits(hidden.clone(), hooks).unwrap_or(hidden))
        };
        let (with, plain) = (|i, h: &mut Hooks| pass(&model.encoder, i, h), |i, h: &mut Hooks| pass(&full, i, h));
        both_ways(name, &model.encoder.sites(), model.info.shape.layers(), &with, &plain);
    }
}

#[test]
fn a_change_at_any_site_of_a_vision_transformer_reaches_all_that_follows_and_nothing_else() {
    for name in PICTURES {
        let model = vision(name, &Device::flex());
        let full = in_full_precision(model.vit.clone());
        let pixels = [0, 1].map(|place| {
            let picture = read_picture(&golden_dir(name).join(format!("picture-{place}.png"))).unwrap();
            model.input(model.preprocessor.pixels(&model.preprocessor.seen(&picture)))
        });
        let pass = |net: &fovea::nn::Vit, input: usize, hooks: &mut Hooks| {
            values(net.forward(pixels[input].clone(), hooks).unwrap())
        };
        let (with, plain) = (|i, h: &mut Hooks| pass(&model.vit, i, h), |i, h: &mut Hooks| pass(&full, i, h));
        both_ways(name, &model.vit.sites(), model.info.shape.layers(), &with, &plain);
    }
}

#[test]
fn a_change_at_any_site_of_a_digit_network_reaches_all_that_follows_and_nothing_else() {
    for network in [DigitNetwork::Mlp, DigitNetwork::Cnn] {
        let net = DigitConfig::of(network).init(3, &Device::flex());
        let pass = |input: usize, hooks: &mut Hooks| {
            let pixels: Vec<f32> = (0..784).map(|i| ((i * (7 + 4 * input)) % 31) as f32 / 31.0).collect();
            values(net.forward(Tensor::from_data(TensorData::new(pixels, [1, 784]), &Device::flex()), hooks))
        };
        let sites = net.sites();
        both_ways(&format!("{network:?}"), &sites, sites.len() - 1, &pass, &pass);
    }
}

#[test]
fn what_a_site_is_of_is_what_its_values_have() {
    for name in DECODERS {
        let (model, reference) = (text(name, &Device::flex()), Reference::read(name));
        let (info, ids) = (&model.info, reference.sequence(0));
        let mut hooks = Hooks::off().recording(model.lm.sites().into_iter().collect(), None);
        model.lm.trace(model.lm.ids(&ids), &mut hooks);
        for capture in hooks.into_captures().0 {
            assert_eq!(capture.site.axes().len(), capture.shape.len(), "{name}, {}", capture.site);
            for (axis, size) in capture.site.axes().iter().zip(&capture.shape) {
                let expected = match axis {
                    Axis::Head => info.shape.blocks().unwrap().heads,
                    Axis::KvHead => info.shape.blocks().unwrap().kv_heads,
                    Axis::Token | Axis::Key => ids.len(),
                    Axis::Value => continue,
                };
                assert_eq!(*size, expected, "{name}, {}: {axis:?}", capture.site);
            }
        }
    }
}
