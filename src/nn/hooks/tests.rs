//! Hooks on values made by hand.

use super::*;
use crate::types::SiteFilter;
use burn::tensor::Device;

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().iter::<f32>().collect()
}

fn sites(filter: &str) -> SiteSet {
    filter.parse::<SiteFilter>().unwrap().choose(&Site::all(3).collect::<Vec<_>>())
}

fn capture(budget: Option<usize>) -> (Vec<Capture>, Option<String>) {
    let device = Device::flex();
    let mut hooks = Hooks::off().recording(sites("blocks.*.resid_pre,logits"), budget);
    for layer in 0..3 {
        let x = Tensor::<3>::full([1, 2, 4], layer as f32, &device);
        let same = hooks.at(Site::ResidPre(layer), x.clone());
        assert_eq!(same.to_data(), x.to_data());
        hooks.at(Site::ResidPost(layer), x);
    }
    hooks.at(Site::Logits, Tensor::<3>::from_data([[[1.0, 2.0]]], &device));
    hooks.into_captures()
}

#[test]
fn notes_what_was_asked_for_in_order() {
    let (captures, left_out) = capture(None);
    let sites: Vec<_> = captures.iter().map(|c| c.site).collect();
    assert_eq!(sites, [Site::ResidPre(0), Site::ResidPre(1), Site::ResidPre(2), Site::Logits]);
    assert_eq!(captures[2].shape, [2, 4]);
    assert_eq!(&captures[2].values[..], &[2.0; 8]);
    assert_eq!(&captures[3].values[..], &[1.0, 2.0]);
    assert_eq!(left_out, None);
}

#[test]
fn budget_keeps_the_first_layers_and_says_so() {
    let (captures, left_out) = capture(Some(40));
    let sites: Vec<_> = captures.iter().map(|c| c.site).collect();
    assert_eq!(sites, [Site::ResidPre(0), Site::Logits]);
    let text = left_out.unwrap();
    assert!(text.contains("2 of 4") && text.contains("blocks.1.resid_pre to blocks.2.resid_pre"), "{text}");
}

/// Two sequences of three tokens, two heads of one value: sequence · 100 + head · 10 + token + 1.
fn heads() -> Tensor<4> {
    let value = |i: usize| (i / 6 * 100 + i / 3 % 2 * 10 + i % 3 + 1) as f32;
    Tensor::from_data(TensorData::new((0..12).map(value).collect::<Vec<_>>(), [2, 2, 3, 1]), &Device::flex())
}

/// What the edit makes of [`heads`] while a cache holds two tokens, so that positions are 2, 3 and 4.
fn edited(edit: SiteEdit) -> Vec<f32> {
    let mut hooks = Hooks::off().editing(vec![edit]);
    hooks.begin(|| TokenRows::new(&[2, 3, 4, 2, 3, 4], [2, 3], 2, |_| true));
    values(hooks.at(Site::Z(0), heads()))
}

#[test]
fn an_edit_changes_the_heads_positions_and_sequences_it_names_and_no_others() {
    let whole = SiteEdit::whole(Site::Z(0), Change::Zero);
    assert_eq!(edited(whole.clone()), [0.0; 12]);
    let head = SiteEdit { heads: Some(vec![1]), change: Change::Scale(2.0), ..whole.clone() };
    let expected = [1.0, 2.0, 3.0, 22.0, 24.0, 26.0, 101.0, 102.0, 103.0, 222.0, 224.0, 226.0];
    assert_eq!(edited(head), expected);
    // Position 0 is in the cache, 3 is the second token of the pass.
    let position = SiteEdit { positions: Some(vec![0, 3]), ..whole.clone() };
    assert_eq!(edited(position.clone()), [1.0, 0.0, 3.0, 11.0, 0.0, 13.0, 101.0, 0.0, 103.0, 111.0, 0.0, 113.0]);
    let one = SiteEdit { sequence: Some(1), heads: Some(vec![0]), ..position };
    assert_eq!(edited(one), [1.0, 2.0, 3.0, 11.0, 12.0, 13.0, 101.0, 0.0, 103.0, 111.0, 112.0, 113.0]);
    let elsewhere = SiteEdit { site: Site::Z(1), ..whole };
    assert_eq!(edited(elsewhere), values(heads()));
}

#[test]
fn a_given_value_is_read_by_position_and_ends_where_it_ends() {
    // Positions 0 to 3 of both heads; the pass goes on to position 4.
    let given: Vec<f32> = (0..8).map(|i| -(i as f32)).collect();
    let set = Change::Set(Box::new(SiteValue::new(given, &[2, 4, 1], &Device::flex())));
    let expected = [-2.0, -3.0, 3.0, -6.0, -7.0, 13.0, -2.0, -3.0, 103.0, -6.0, -7.0, 113.0];
    assert_eq!(edited(SiteEdit::whole(Site::Z(0), set)), expected);
    let everywhere = Change::Set(Box::new(SiteValue::new(vec![5.0, 6.0], &[2, 1, 1], &Device::flex())));
    assert_eq!(edited(SiteEdit::whole(Site::Z(0), everywhere))[..6], [5.0, 5.0, 5.0, 6.0, 6.0, 6.0]);
}

#[test]
fn the_mean_is_of_real_tokens_and_can_be_used_again() {
    let edit = SiteEdit { heads: Some(vec![1]), ..SiteEdit::whole(Site::Z(0), Change::Mean) };
    let mut hooks = Hooks::off().editing(vec![edit]);
    hooks.begin(|| TokenRows::new(&[0, 1, 2, 0, 1, 0], [2, 3], 0, |i| i != 5));
    let found = values(hooks.at(Site::Z(0), heads()));
    assert_eq!(found, [1.0, 2.0, 3.0, 12.0, 12.0, 12.0, 101.0, 102.0, 103.0, 111.5, 111.5, 111.5]);
    let fixed = hooks.fixed_edits();
    let mut later = Hooks::off().editing(fixed);
    later.begin(|| TokenRows::new(&[7, 7], [2, 1], 7, |_| true));
    let next = Tensor::<4>::from_data([[[[1.0]], [[2.0]]], [[[3.0]], [[4.0]]]], &Device::flex());
    assert_eq!(values(later.at(Site::Z(0), next)), [1.0, 12.0, 3.0, 111.5]);
}

#[test]
fn queries_and_keys_are_chosen_apart() {
    let hidden = SiteEdit {
        positions: Some(vec![3]),
        keys: Some(vec![0, 2]),
        ..SiteEdit::whole(Site::Scores(0), Change::Lowest)
    };
    let mut hooks = Hooks::off().editing(vec![hidden]);
    hooks.begin(|| TokenRows::new(&[2, 3], [1, 2], 2, |_| true));
    let scores = hooks.at(Site::Scores(0), Tensor::<4>::zeros([1, 1, 2, 4], &Device::flex()));
    assert_eq!(values(scores), [0.0, 0.0, 0.0, 0.0, f32::MIN, 0.0, f32::MIN, 0.0]);
}

#[test]
fn chosen_rows_keep_their_positions() {
    let edit = SiteEdit { positions: Some(vec![4]), ..SiteEdit::whole(Site::Logits, Change::Zero) };
    let mut hooks = Hooks::off().editing(vec![edit]);
    hooks.begin(|| TokenRows::new(&[2, 3, 4, 2, 3, 4], [2, 3], 2, |_| true));
    hooks.go_on_with(|| vec![2, 3, 5], 1);
    let logits = hooks.at(Site::Logits, Tensor::<3>::ones([1, 3, 1], &Device::flex()));
    assert_eq!(values(logits), [0.0, 1.0, 0.0]);
}

#[test]
fn values_are_kept_and_their_gradients_read() {
    let device = Device::flex().autodiff();
    let of = |layer| SiteSet::from_iter([Site::ResidPre(layer), Site::ResidPost(layer)]);
    let mut hooks = Hooks::off().keeping(of(0)).with_gradients(of(0));
    let x = Tensor::<3>::from_data([[[1.0, 2.0]]], &device);
    let x = hooks.at(Site::ResidPre(0), x);
    let y = hooks.at(Site::ResidPost(0), x.clone() * x);
    let loss = (y * Tensor::from_data([[[3.0, 4.0]]], &device)).sum();
    let gradients = hooks.gradients(&loss);
    let of = |site| values(gradients.of(site).unwrap().1);
    assert_eq!((of(Site::ResidPost(0)), of(Site::ResidPre(0))), (vec![3.0, 4.0], vec![6.0, 16.0]));
    let kept = hooks.take_kept(Site::ResidPost(0)).unwrap();
    assert_eq!((kept.shape(), values(kept.tensor::<3>())), ([1, 2].as_slice(), vec![1.0, 4.0]));
    assert!(hooks.take_kept(Site::ResidPost(0)).is_none(), "taken out");
}

#[test]
fn a_value_of_a_pass_without_gradients_can_be_given_in_one_with_them() {
    let given = Change::Set(Box::new(SiteValue::new(vec![5.0, 6.0], &[1, 2], &Device::flex())));
    let mut hooks = Hooks::off()
        .editing(vec![SiteEdit { positions: Some(vec![0]), ..SiteEdit::whole(Site::ResidPre(0), given) }])
        .with_gradients(SiteSet::from_iter([Site::ResidPre(0)]));
    hooks.begin(|| TokenRows::whole([1, 2], |_| true));
    let x = Tensor::<3>::from_data([[[1.0, 2.0], [3.0, 4.0]]], &Device::flex().autodiff());
    // The given value holds one token, which stands for every one that is named.
    let x = hooks.at(Site::ResidPre(0), x);
    assert_eq!(values(x.clone()), [5.0, 6.0, 3.0, 4.0]);
    let gradients = hooks.gradients(&(x.clone() * x).sum());
    assert_eq!(values(gradients.of(Site::ResidPre(0)).unwrap().1), [10.0, 12.0, 6.0, 8.0]);
}
