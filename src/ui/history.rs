//! Undo and redo of a value a person edits.

/// Changes closer together than this are one step, so that a word is taken back at once and not letter by letter.
const ONE_STEP_S: f64 = 0.7;
/// Steps that are kept.
const STEPS_KEPT: usize = 200;

/// Earlier and later versions of a value.
#[derive(Clone, Debug)]
pub struct History<T> {
    past: Vec<T>,
    future: Vec<T>,
    last: T,
    changed_s: f64,
    /// When it was changed last, whether by hand or back and forth; never before the first change.
    touched_s: f64,
}

impl<T: Clone + PartialEq> History<T> {
    /// A history that begins with `value`.
    pub fn new(value: T) -> Self {
        Self {
            past: Vec::new(),
            future: Vec::new(),
            last: value,
            changed_s: f64::NEG_INFINITY,
            touched_s: f64::NEG_INFINITY,
        }
    }

    /// Looks at the value once a frame and remembers the one before a change.
    pub fn observe(&mut self, value: &T, now_s: f64) {
        if *value == self.last {
            return;
        }
        let before = std::mem::replace(&mut self.last, value.clone());
        if now_s - self.changed_s > ONE_STEP_S {
            self.past.push(before);
            if self.past.len() > STEPS_KEPT {
                self.past.remove(0);
            }
        }
        (self.changed_s, self.touched_s) = (now_s, now_s);
        self.future.clear();
    }

    /// When a person changed it last: of two histories, the later one is taken back first.
    pub fn touched_s(&self) -> f64 {
        self.touched_s
    }

    /// Takes a change in without making it a step: what belongs to the last one, such as what came of it.
    pub fn amend(&mut self, value: &T) {
        self.last = value.clone();
    }

    /// What was changed until now is a step of its own, however soon the next change follows.
    pub fn part(&mut self, value: &T, now_s: f64) {
        self.observe(value, now_s);
        self.changed_s = f64::NEG_INFINITY;
    }

    /// Takes the last step back. False when there is none.
    pub fn undo(&mut self, value: &mut T) -> bool {
        let Some(earlier) = self.past.pop() else { return false };
        self.future.push(std::mem::replace(value, earlier));
        self.settle(value);
        true
    }

    /// Takes the last undone step again. False when there is none.
    pub fn redo(&mut self, value: &mut T) -> bool {
        let Some(later) = self.future.pop() else { return false };
        self.past.push(std::mem::replace(value, later));
        self.settle(value);
        true
    }

    fn settle(&mut self, value: &T) {
        self.last = value.clone();
        self.changed_s = f64::NEG_INFINITY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_changes_are_one_step_and_pauses_part_them() {
        let mut text = "a".to_owned();
        let mut history = History::new(text.clone());
        for (next, at_s) in [("ab", 1.0), ("abc", 1.2), ("abc d", 5.0)] {
            text = next.to_owned();
            history.observe(&text, at_s);
        }
        assert!(history.undo(&mut text));
        assert_eq!(text, "abc");
        assert!(history.undo(&mut text));
        assert_eq!(text, "a");
        assert!(!history.undo(&mut text));
        assert!(history.redo(&mut text) && history.redo(&mut text));
        assert_eq!(text, "abc d");
    }

    #[test]
    fn parted_changes_are_steps_of_their_own() {
        let mut value = 1;
        let mut history = History::new(value);
        value = 2;
        history.part(&value, 1.0);
        value = 3;
        history.observe(&value, 1.1);
        assert!(history.undo(&mut value));
        assert_eq!(value, 2);
    }

    #[test]
    fn a_new_change_forgets_what_was_undone() {
        let mut value = 1;
        let mut history = History::new(value);
        value = 2;
        history.observe(&value, 1.0);
        history.undo(&mut value);
        value = 3;
        history.observe(&value, 9.0);
        assert!(!history.redo(&mut value));
        assert!(history.undo(&mut value));
        assert_eq!(value, 1);
    }
}
