//! Which items of two lists stand for each other.

/// Pairs that are compared at most; beyond, lists are paired by position.
const MOST: usize = 1 << 22;

/// Places of two lists side by side: equal items of a longest common subsequence stand together, and what lies between them is paired
/// in order as far as it goes.
#[must_use]
pub fn align<T: PartialEq>(a: &[T], b: &[T]) -> Vec<(Option<usize>, Option<usize>)> {
    let mut rows = Vec::new();
    let (mut from_a, mut from_b) = (0, 0);
    for (in_a, in_b) in common(a, b).into_iter().chain([(a.len(), b.len())]) {
        let between = (in_a - from_a).max(in_b - from_b);
        let place = |from: usize, end: usize, i: usize| Some(from + i).filter(|place| *place < end);
        rows.extend((0..between).map(|i| (place(from_a, in_a, i), place(from_b, in_b, i))));
        if in_a < a.len() && in_b < b.len() {
            rows.push((Some(in_a), Some(in_b)));
        }
        (from_a, from_b) = (in_a + 1, in_b + 1);
    }
    rows
}

/// A longest common subsequence, by its places in both.
fn common<T: PartialEq>(a: &[T], b: &[T]) -> Vec<(usize, usize)> {
    if a.len().saturating_mul(b.len()) > MOST {
        return (0..a.len().min(b.len())).filter(|&i| a[i] == b[i]).map(|i| (i, i)).collect();
    }
    let width = b.len() + 1;
    // The length of a longest one behind each pair of places.
    let mut lengths = vec![0u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            lengths[i * width + j] = if a[i] == b[j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut found) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            found.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else {
            // Where either would do, the shorter list goes on: what the longer one says twice is met the first time.
            let (skips_a, skips_b) = (lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
            if skips_a > skips_b || skips_a == skips_b && a.len() < b.len() { i += 1 } else { j += 1 }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_items_stand_together_and_others_side_by_side() {
        let rows = |a: &str, b: &str| {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            let letter = |list: &[char], place: Option<usize>| place.map_or('-', |place| list[place]);
            align(&a, &b).into_iter().map(|(i, j)| format!("{}{}", letter(&a, i), letter(&b, j))).collect::<Vec<_>>()
        };
        assert_eq!(rows("abc", "abc"), ["aa", "bb", "cc"]);
        assert_eq!(rows("abcd", "axyd"), ["aa", "bx", "cy", "dd"]);
        assert_eq!(rows("ad", "abcd"), ["aa", "-b", "-c", "dd"]);
        assert_eq!(rows("abx", "a"), ["aa", "b-", "x-"]);
        assert_eq!(rows("abcabc", "axc"), ["aa", "bx", "cc", "a-", "b-", "c-"]);
        assert_eq!(rows("axc", "abcabc"), ["aa", "xb", "cc", "-a", "-b", "-c"]);
        assert_eq!(rows("", "ab"), ["-a", "-b"]);
    }
}
