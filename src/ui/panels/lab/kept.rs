//! What survives a restart.

use super::curve::{Curve, Form};
use super::desk::Desk;
use super::looked::{From, Rank};
use super::past::{Past, Stored};
use super::setup::Setup;
use super::{LabPanel, Tab};
use crate::engine::shipped_tasks;
use crate::types::TaskTable;
use crate::ui::lenient;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cell::RefCell;
use std::sync::Arc;

/// The saved lab.
#[derive(Deserialize)]
struct Saved {
    setup: Stored,
    /// The table as text, or the name of a shipped task.
    table: String,
    is_shipped: bool,
    #[serde(default)]
    tab: Tab,
    #[serde(default)]
    past: String,
    #[serde(default)]
    curve_form: Form,
    #[serde(default)]
    curves: Vec<Curve>,
    #[serde(default)]
    looked: (From, Rank),
    #[serde(default)]
    batch_rows: Option<usize>,
}

/// The table as text, written anew only when it changed: it may have thousands of rows, and is asked for twice a second.
#[derive(Default)]
pub(super) struct TableText(RefCell<Option<(Arc<TaskTable>, String, bool)>>);

impl TableText {
    /// The text, and whether it is the name of a shipped task.
    fn of(&self, table: &Arc<TaskTable>) -> (String, bool) {
        let mut known = self.0.borrow_mut();
        if known.as_ref().is_none_or(|(of, ..)| !Arc::ptr_eq(of, table)) {
            let is_shipped = shipped_tasks().iter().any(|task| *task == **table);
            let text = if is_shipped { table.id.clone() } else { serde_json::to_string(&**table).unwrap_or_default() };
            *known = Some((table.clone(), text, is_shipped));
        }
        known.as_ref().map(|(_, text, is_shipped)| (text.clone(), *is_shipped)).unwrap_or_default()
    }
}

impl LabPanel {
    pub(super) fn kept(&self) -> Value {
        #[derive(Serialize)]
        struct Saving<'a> {
            setup: Stored,
            table: String,
            is_shipped: bool,
            tab: Tab,
            past: String,
            curve_form: &'a Form,
            curves: &'a [Curve],
            looked: (From, Rank),
            batch_rows: Option<usize>,
        }
        let (table, is_shipped) = self.table_text.of(&self.desk.setup.table);
        let saving = Saving {
            setup: Stored::new(&self.desk.setup),
            table,
            is_shipped,
            tab: self.tab,
            past: self.compare.past.save(),
            curve_form: &self.curve.form,
            curves: &self.curve.curves,
            looked: (self.looked.from, self.looked.rank),
            batch_rows: self.batch.most,
        };
        serde_json::to_value(saving).unwrap_or_default()
    }

    /// Takes back as much as is understood; false when something was not.
    pub(super) fn take_back(&mut self, value: &Value) -> bool {
        let (saved, is_whole) = lenient::read_over::<Saved>(self.kept(), value);
        let Some(saved) = saved else { return false };
        let shipped = || shipped_tasks().iter().find(|task| task.id == saved.table).cloned();
        let table = if saved.is_shipped { shipped() } else { serde_json::from_str(&saved.table).ok() };
        let past = Past::restore(&saved.past);
        let is_whole = is_whole && table.is_some() && past.is_some();
        let table = table.map_or_else(|| self.desk.setup.table.clone(), Arc::new);
        self.desk = Desk::with(Setup { table, ..saved.setup.bare() });
        self.tab = saved.tab;
        self.compare.past = past.unwrap_or_default();
        (self.curve.form, self.curve.curves) = (saved.curve_form, saved.curves);
        (self.looked.from, self.looked.rank) = saved.looked;
        self.batch.most = saved.batch_rows;
        is_whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_lab_that_is_understood_in_part_keeps_that_part() {
        let mut lab = LabPanel::default();
        lab.desk.setup.query = "typed".to_owned();
        lab.tab = Tab::Curve;
        let mut saved = lab.kept();
        let read = |saved: &Value| {
            let mut lab = LabPanel::default();
            let is_whole = lab.take_back(saved);
            (lab.desk.setup.query.clone(), lab.tab, is_whole)
        };
        assert_eq!(read(&saved), ("typed".to_owned(), Tab::Curve, true));
        saved["tab"] = json!("a tab of a newer version");
        assert_eq!(read(&saved), ("typed".to_owned(), Tab::default(), false));
        saved["past"] = json!("[{");
        saved["table"] = json!("a task of a newer version");
        assert_eq!(read(&saved), ("typed".to_owned(), Tab::default(), false));
    }
}
