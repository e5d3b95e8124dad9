//! The lowest point of a smooth function.

/// Steps that the curvature is remembered of.
const REMEMBERED: usize = 10;
/// Steps at most.
const MOST: usize = 1000;
/// Halvings of one step at most.
const HALVINGS: usize = 30;
/// Share of what the slope promises that a step has to go down.
const ENOUGH: f64 = 1e-4;
/// Share of a value that is rounding: closer to the lowest point its differences say nothing.
const ROUNDING: f64 = 1e-12;

/// Minimises by L-BFGS (Liu and Nocedal 1989) until no component of the gradient is larger than `tolerance`, or no step goes down any
/// more. `at` gives value and gradient.
pub(super) fn minimise(mut x: Vec<f64>, tolerance: f64, at: impl Fn(&[f64]) -> (f64, Vec<f64>)) -> Vec<f64> {
    let (mut value, mut gradient) = at(&x);
    // Changes of x and of the gradient, and the inverse of their product.
    let mut past: Vec<(Vec<f64>, Vec<f64>, f64)> = Vec::new();
    for _ in 0..MOST {
        if gradient.iter().all(|g| g.abs() <= tolerance) {
            break;
        }
        let mut direction = downwards(&gradient, &past);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            past.clear();
            direction = gradient.iter().map(|g| -g).collect();
            slope = -dot(&gradient, &gradient);
        }
        // Without curvature nothing is known of the length of a step.
        let mut length = if past.is_empty() { dot(&gradient, &gradient).sqrt().recip().min(1.0) } else { 1.0 };
        let mut next = None;
        for _ in 0..HALVINGS {
            let there: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + length * d).collect();
            let (found, of_there) = at(&there);
            // Where differences of values are rounding, slopes tell (Hager and Zhang 2005).
            let goes_down = found <= value + ENOUGH * length * slope;
            let is_level = found <= value + ROUNDING * value.abs();
            if goes_down || is_level && dot(&of_there, &direction) <= (2.0 * ENOUGH - 1.0) * slope {
                next = Some((there, found, of_there));
                break;
            }
            length /= 2.0;
        }
        let Some((there, found, of_there)) = next else { break };
        let moved: Vec<f64> = there.iter().zip(&x).map(|(there, x)| there - x).collect();
        let turned: Vec<f64> = of_there.iter().zip(&gradient).map(|(there, here)| there - here).collect();
        let product = dot(&moved, &turned);
        if product > 1e-300 {
            if past.len() == REMEMBERED {
                past.remove(0);
            }
            past.push((moved, turned, product.recip()));
        }
        (x, value, gradient) = (there, found, of_there);
    }
    x
}

/// The two loops: minus the gradient, multiplied with what the past tells of the inverse of the curvature.
fn downwards(gradient: &[f64], past: &[(Vec<f64>, Vec<f64>, f64)]) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(past.len());
    for (moved, turned, inverse) in past.iter().rev() {
        let share = inverse * dot(moved, &direction);
        direction.iter_mut().zip(turned).for_each(|(d, y)| *d -= share * y);
        shares.push(share);
    }
    if let Some((_, turned, inverse)) = past.last() {
        let scale = (inverse * dot(turned, turned)).recip();
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for ((moved, turned, inverse), share) in past.iter().zip(shares.into_iter().rev()) {
        let rest = share - inverse * dot(turned, &direction);
        direction.iter_mut().zip(moved).for_each(|(d, s)| *d += rest * s);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_point_of_a_bent_valley_is_found() {
        // Rosenbrock's function: 1 at every place.
        let at = |x: &[f64]| {
            let (mut value, mut gradient) = (0.0, vec![0.0; x.len()]);
            for i in 0..x.len() - 1 {
                let (a, b) = (x[i + 1] - x[i] * x[i], 1.0 - x[i]);
                value += 100.0 * a * a + b * b;
                gradient[i] += -400.0 * a * x[i] - 2.0 * b;
                gradient[i + 1] += 200.0 * a;
            }
            (value, gradient)
        };
        let found = minimise(vec![-1.2, 1.0, -0.5, 2.0], 1e-9, at);
        assert!(found.iter().all(|x| (x - 1.0).abs() < 1e-8), "{found:?}");
    }
}
