//! A pass that is made for one site ends where nothing more is wanted, and takes shortcuts that others cannot: what it reads
//! is what a pass that reads everything does.

use super::{DECODERS, ENCODERS, FORWARD, assert_close, encoder, keeping_residual, text};
use crate::reference::Reference;
use burn::tensor::Device;
use fovea::nn::{Change, EncoderBatch, Hooks, SiteEdit};
use fovea::types::{Capture, Site, SiteSet};

/// What `trace` reads at each of these sites in one pass, and at each in a pass of its own.
fn compare(name: &str, sites: &[Site], edits: &[SiteEdit], trace: impl Fn(&mut Hooks)) {
    let read = |sites: &[Site]| {
        let sites: SiteSet = sites.iter().copied().collect();
        let mut hooks = Hooks::off().recording(sites, None).editing(edits.to_vec());
        trace(&mut hooks);
        hooks.into_captures().0
    };
    let together = read(sites);
    assert_eq!(together.len(), sites.len(), "{name}");
    for of_all in together {
        let [alone]: [Capture; 1] = read(&[of_all.site]).try_into().unwrap_or_else(|_| panic!("{name}: one capture"));
        assert_eq!(alone.shape, of_all.shape, "{name}, {}", alone.site);
        assert_close(&alone.values, &of_all.values, FORWARD, &format!("{name}, {}", alone.site));
    }
}

fn edits() -> Vec<SiteEdit> {
    let head = SiteEdit { heads: Some(vec![1]), ..SiteEdit::whole(Site::Z(0), Change::Zero) };
    let pattern = SiteEdit { heads: Some(vec![0]), ..SiteEdit::whole(Site::Pattern(1), Change::Scale(0.5)) };
    vec![head, pattern]
}

#[test]
fn a_site_read_alone_is_what_it_is_among_all() {
    for name in DECODERS {
        let (lm, ids) = (text(name, &Device::flex()).lm, Reference::read(name).sequence(0));
        for edits in [&[][..], &edits()] {
            compare(name, &lm.sites(), edits, |hooks| lm.trace(lm.ids(&ids), hooks));
        }
    }
    for name in ENCODERS {
        let (model, ids) = (encoder(name, &Device::flex()), Reference::read(name).sequence(0));
        let sites: Vec<Site> = model.encoder.sites();
        for edits in [&[][..], &edits()] {
            compare(name, &sites, edits, |hooks| model.encoder.trace(&EncoderBatch::one(&ids), hooks));
        }
    }
}

#[test]
fn a_mean_is_found_though_nothing_else_is_wanted() {
    let (lm, ids) = (text("llama", &Device::flex()).lm, Reference::read("llama").sequence(0));
    let mean = || vec![SiteEdit::whole(Site::MlpOut(1), Change::Mean)];
    let fixed = |mut hooks: Hooks| {
        lm.trace(lm.ids(&ids), &mut hooks);
        hooks.fixed_edits()
    };
    let alone = fixed(Hooks::off().editing(mean()));
    assert!(matches!(alone[0].change, Change::Set(_)), "{alone:?}");
    let beside = fixed(keeping_residual().editing(mean()));
    assert!(matches!(beside[0].change, Change::Set(_)), "{beside:?}");
}
