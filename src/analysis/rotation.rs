//! What rotary positions do to the product of a query and a key.

/// The product of a query and a key when the key stands `distance` tokens before the query: both as they are before their
/// rotation, `frequencies` in radians a position, one for each pair (i, i + R/2) (Su et al. 2021).
///
/// A pair gives (q₁k₁ + q₂k₂) · cos(d·f) + (q₁k₂ − q₂k₁) · sin(d·f); what is not rotated gives q·k at every distance.
#[must_use]
pub fn rotated_product(query: &[f32], key: &[f32], frequencies: &[f64], distance: f64) -> f64 {
    let half = frequencies.len();
    let at = |x: &[f32], i: usize| x.get(i).map_or(0.0, |value| f64::from(*value));
    let pair = |(i, frequency): (usize, &f64)| {
        let (sin, cos) = (distance * frequency).sin_cos();
        let (q1, q2, k1, k2) = (at(query, i), at(query, i + half), at(key, i), at(key, i + half));
        (q1 * k1 + q2 * k2) * cos + (q1 * k2 - q2 * k1) * sin
    };
    let rest = (2 * half..query.len()).map(|i| at(query, i) * at(key, i));
    frequencies.iter().enumerate().map(pair).chain(rest).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_turn_makes_a_right_angle_of_equal_vectors() {
        let (x, frequencies) = ([1.0, 0.0], [std::f64::consts::FRAC_PI_2]);
        for (distance, product) in [(0.0, 1.0), (1.0, 0.0), (2.0, -1.0), (4.0, 1.0)] {
            assert!((rotated_product(&x, &x, &frequencies, distance) - product).abs() < 1e-12, "{distance}");
        }
        // A key a quarter turn ahead meets the query one position later.
        assert!((rotated_product(&[1.0, 0.0], &[0.0, 1.0], &frequencies, 1.0) - 1.0).abs() < 1e-12);
        assert!((rotated_product(&[1.0, 0.0, 3.0], &[0.0, 1.0, 2.0], &frequencies, 1.0) - 7.0).abs() < 1e-12);
    }
}
