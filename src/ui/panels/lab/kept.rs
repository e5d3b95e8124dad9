//! What survives a restart.

use super::curve::{Curve, Form};
use super::desk::Desk;
use super::looked::{From, Rank};
use super::past::{Past, Stored};
use super::setup::Setup;
use super::{LabPanel, Tab};
use crate::engine::shipped_tasks;
use crate::types::TaskTable;
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

    /// False when it is not understood.
    pub(super) fn take_back(&mut self, value: &Value) -> bool {
        let Ok(saved) = serde_json::from_value::<Saved>(value.clone()) else { return false };
        let shipped = || shipped_tasks().iter().find(|task| task.id == saved.table).cloned();
        let table = if saved.is_shipped { shipped() } else { serde_json::from_str(&saved.table).ok() };
        let Some(table) = table else { return false };
        let setup = Setup { table: Arc::new(table), ..saved.setup.bare() };
        self.desk = Desk::with(setup);
        self.tab = saved.tab;
        self.compare.past = Past::restore(&saved.past);
        (self.curve.form, self.curve.curves) = (saved.curve_form, saved.curves);
        (self.looked.from, self.looked.rank) = saved.looked;
        self.batch.most = saved.batch_rows;
        true
    }
}
