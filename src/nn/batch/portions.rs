//! Texts of like length read together, so that little is computed for what fills them up.

/// What a pass costs beside its tokens, in tokens: weights are laid out for each once more, and their gradients added.
const START: usize = 32;

/// Which of texts of these lengths are read together: every place once, those with the longest texts first, the places of each in order. All
/// passes together cost least, where each costs its rows times the longest of them, and [`START`].
pub(in crate::nn) fn portions(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(lengths[*place]));
    // Of the first so many in this order: the least cost, and where the last portion of it begins.
    let mut best = vec![(0, 0)];
    for end in 1..=order.len() {
        let cost = |begin: usize| best[begin].0 + (end - begin) * lengths[order[begin]] + START;
        let begin = (0..end).min_by_key(|begin| cost(*begin)).unwrap_or(0);
        best.push((cost(begin), begin));
    }
    let mut found = Vec::new();
    let mut end = order.len();
    while end > 0 {
        let begin = best[end].1;
        let mut portion = order[begin..end].to_vec();
        portion.sort_unstable();
        found.push(portion);
        end = begin;
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_of_one_length_stay_together_and_a_long_one_goes_alone() {
        assert_eq!(portions(&[20; 8]), [(0..8).collect::<Vec<_>>()]);
        assert_eq!(portions(&[10, 400, 12, 11]), [vec![1], vec![0, 2, 3]]);
        assert_eq!(portions(&[3, 5, 4]), [[0, 1, 2]]);
        assert_eq!(portions(&[]), Vec::<Vec<usize>>::new());
    }

    proptest! {
        #[test]
        fn every_text_is_read_once_at_no_more_than_the_cost_of_one_pass(lengths in prop::collection::vec(1..300_usize, 1..40)) {
            let portions = portions(&lengths);
            let longest = |portion: &[usize]| portion.iter().map(|place| lengths[*place]).max().unwrap_or(0);
            let cost: usize = portions.iter().map(|portion| portion.len() * longest(portion) + START).sum();
            prop_assert!(cost <= lengths.len() * longest(&(0..lengths.len()).collect::<Vec<_>>()) + START);
            let mut places = portions.concat();
            places.sort_unstable();
            prop_assert_eq!(places, (0..lengths.len()).collect::<Vec<_>>());
        }
    }
}
