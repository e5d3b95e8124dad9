//! What the units of recurrent layers compute in a step, and its gradient.

use super::elementwise::{exp8, sigmoid8};
use super::{Level, load_up_to_8, store_up_to_8};
use std::arch::x86_64::*;

/// tanh(sums + x) in place of x.
pub(in super::super) fn tanh_sum(_: Level, sums: &[f32], x: &mut [f32]) {
    assert_eq!(sums.len(), x.len());
    // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
    unsafe { tanh_sum_256(sums.as_ptr(), x) };
}

/// # Safety
/// As many elements as `x` has can be read behind `sums`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn tanh_sum_256(sums: *const f32, x: &mut [f32]) {
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left.
        unsafe {
            let at = x.as_mut_ptr().add(i);
            let sum = _mm256_add_ps(load_up_to_8(at, count, 0.0), load_up_to_8(sums.add(i), count, 0.0));
            store_up_to_8(at, count, tanh8(sum));
        }
        i += 8;
    }
}

/// The gradient of the argument of tanh from its value y and the gradient of that: d · (1 − y²).
pub(in super::super) fn tanh_gradient(_: Level, y: &[f32], d: &[f32], out: &mut [f32]) {
    assert!(y.len() == out.len() && d.len() == out.len());
    // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
    unsafe { tanh_gradient_256(y.as_ptr(), d.as_ptr(), out) };
}

/// # Safety
/// As many elements as `out` has can be read behind `y` and `d`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn tanh_gradient_256(y: *const f32, d: *const f32, out: &mut [f32]) {
    let one = _mm256_set1_ps(1.0);
    let mut i = 0;
    while i < out.len() {
        let count = out.len() - i;
        // SAFETY: so many elements are left.
        unsafe {
            let y = load_up_to_8(y.add(i), count, 0.0);
            let slope = _mm256_fnmadd_ps(y, y, one);
            store_up_to_8(out.as_mut_ptr().add(i), count, _mm256_mul_ps(load_up_to_8(d.add(i), count, 0.0), slope));
        }
        i += 8;
    }
}

/// One step of the units of an LSTM: `gates`, `[4, H]` (input, forget, cell, output), hold the products of the input and become what
/// the gates are, once `sums` are added; c and h of the step follow from them and from c of the step before, zero where there is none.
pub(in super::super) fn lstm_step(
    _: Level,
    sums: &[f32],
    gates: &mut [f32],
    before: Option<&[f32]>,
    cells: &mut [f32],
    hidden: &mut [f32],
) {
    let units = hidden.len();
    assert!(sums.len() == 4 * units && gates.len() == 4 * units && cells.len() == units);
    assert!(before.is_none_or(|before| before.len() >= units));
    let before = before.map(<[f32]>::as_ptr);
    // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
    unsafe { lstm_step_256(sums.as_ptr(), gates.as_mut_ptr(), before, cells.as_mut_ptr(), hidden) };
}

/// # Safety
/// There are four times as many elements behind `sums` and `gates` as `hidden` has, and as many behind `before` and `cells`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn lstm_step_256(
    sums: *const f32,
    gates: *mut f32,
    before: Option<*const f32>,
    cells: *mut f32,
    hidden: &mut [f32],
) {
    let units = hidden.len();
    let mut at = 0;
    while at < units {
        let count = units - at;
        // SAFETY: so many units are left.
        unsafe {
            let sum = |gate: usize| {
                let place = gate * units + at;
                _mm256_add_ps(load_up_to_8(gates.add(place), count, 0.0), load_up_to_8(sums.add(place), count, 0.0))
            };
            let (i, f, g, o) = (sigmoid8(sum(0)), sigmoid8(sum(1)), tanh8(sum(2)), sigmoid8(sum(3)));
            let mut c = _mm256_mul_ps(i, g);
            if let Some(before) = before {
                c = _mm256_fmadd_ps(f, load_up_to_8(before.add(at), count, 0.0), c);
            }
            for (gate, value) in [i, f, g, o].into_iter().enumerate() {
                store_up_to_8(gates.add(gate * units + at), count, value);
            }
            store_up_to_8(cells.add(at), count, c);
            store_up_to_8(hidden.as_mut_ptr().add(at), count, _mm256_mul_ps(o, tanh8(c)));
        }
        at += 8;
    }
}

/// The gradient of [`lstm_step`] with respect to its sums, from that of h, `of_hidden`, and of c from the step behind it, `of_cells`,
/// which becomes that of c of the step before. `now` is c of the step, `before` that of the step before, if there is one.
pub(in super::super) fn lstm_gradient(
    _: Level,
    gates: &[f32],
    now: &[f32],
    before: Option<&[f32]>,
    of_hidden: &[f32],
    of_cells: &mut [f32],
    out: &mut [f32],
) {
    let units = of_hidden.len();
    assert!(gates.len() == 4 * units && out.len() == 4 * units && of_cells.len() == units);
    assert!(now.len() == units && before.is_none_or(|before| before.len() == units));
    // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
    unsafe {
        let before = before.map(<[f32]>::as_ptr);
        lstm_gradient_256(gates.as_ptr(), now.as_ptr(), before, of_hidden, of_cells.as_mut_ptr(), out.as_mut_ptr());
    }
}

/// # Safety
/// There are four times as many elements behind `gates` and `out` as `of_hidden` has, and as many behind `now`, `before` and
/// `of_cells`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn lstm_gradient_256(
    gates: *const f32,
    now: *const f32,
    before: Option<*const f32>,
    of_hidden: &[f32],
    of_cells: *mut f32,
    out: *mut f32,
) {
    let (units, one) = (of_hidden.len(), _mm256_set1_ps(1.0));
    let mut at = 0;
    while at < units {
        let count = units - at;
        // SAFETY: so many units are left.
        unsafe {
            let gate = |gate: usize| load_up_to_8(gates.add(gate * units + at), count, 0.0);
            let (i, f, g, o) = (gate(0), gate(1), gate(2), gate(3));
            let squashed = tanh8(load_up_to_8(now.add(at), count, 0.0));
            let dh = load_up_to_8(of_hidden.as_ptr().add(at), count, 0.0);
            // s · (1 − s) is the slope of σ at its value s, 1 − y² that of tanh.
            let slope = |s: __m256| _mm256_fnmadd_ps(s, s, s);
            let steep = _mm256_fnmadd_ps(squashed, squashed, one);
            let dc = _mm256_fmadd_ps(_mm256_mul_ps(dh, o), steep, load_up_to_8(of_cells.add(at), count, 0.0));
            let of_i = _mm256_mul_ps(_mm256_mul_ps(dc, g), slope(i));
            let of_f = match before {
                Some(before) => _mm256_mul_ps(_mm256_mul_ps(dc, load_up_to_8(before.add(at), count, 0.0)), slope(f)),
                None => _mm256_setzero_ps(),
            };
            let of_g = _mm256_mul_ps(_mm256_mul_ps(dc, i), _mm256_fnmadd_ps(g, g, one));
            let of_o = _mm256_mul_ps(_mm256_mul_ps(dh, squashed), slope(o));
            for (gate, value) in [of_i, of_f, of_g, of_o].into_iter().enumerate() {
                store_up_to_8(out.add(gate * units + at), count, value);
            }
            store_up_to_8(of_cells.add(at), count, _mm256_mul_ps(dc, f));
        }
        at += 8;
    }
}

/// tanh x = (1 − e⁻²ᵃ) / (1 + e⁻²ᵃ) with a = |x| and the sign of x; where that loses digits, below a quarter, its Taylor series up to
/// x⁹ (the rest is below 10⁻⁸ of the value).
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
pub(super) fn tanh8(x: __m256) -> __m256 {
    let (one, sign) = (_mm256_set1_ps(1.0), _mm256_set1_ps(-0.0));
    let a = _mm256_andnot_ps(sign, x);
    let e = exp8(_mm256_mul_ps(a, _mm256_set1_ps(-2.0)));
    let far = _mm256_div_ps(_mm256_sub_ps(one, e), _mm256_add_ps(one, e));
    let far = _mm256_or_ps(far, _mm256_and_ps(sign, x));
    let square = _mm256_mul_ps(x, x);
    let mut p = _mm256_set1_ps(62.0 / 2835.0);
    p = _mm256_fmadd_ps(p, square, _mm256_set1_ps(-17.0 / 315.0));
    p = _mm256_fmadd_ps(p, square, _mm256_set1_ps(2.0 / 15.0));
    p = _mm256_fmadd_ps(p, square, _mm256_set1_ps(-1.0 / 3.0));
    let near = _mm256_fmadd_ps(_mm256_mul_ps(x, square), p, x);
    _mm256_blendv_ps(far, near, _mm256_cmp_ps::<_CMP_LT_OQ>(a, _mm256_set1_ps(0.25)))
}
