//! What the command palette can do in the lab.

use super::{LabPanel, TABLE_FILE, Tab, controls, file};
use crate::chart::Format;
use crate::engine::shipped_tasks;
use crate::ui::{Action, Cx, Intent, State};
use lucide_icons::Icon;
use std::sync::Arc;

/// The entries: those of the tab on show, then files, then every task.
pub(super) fn all(panel: &LabPanel, _state: &State) -> Vec<Action> {
    let two = if panel.desk.setup.two { "Show one column" } else { "Compare two columns" };
    let mut entries = vec![
        ("score", "Score the answers", Icon::Play),
        ("draw", "Draw other examples", Icon::Dices),
        ("another", "Ask another query", Icon::Dices),
        ("two", two, Icon::Columns2),
        ("open-table", "Open a table of pairs", Icon::Table2),
        ("new-task", "New task", Icon::FilePlus2),
        ("to-prompt", "Open in Prompt", Icon::SquareArrowOutUpRight),
        ("train", "Train on these pairs", Icon::TrendingDown),
        ("measure", "Measure the curve", Icon::ChartLine),
        ("batch", "Ask the whole table", Icon::ListChecks),
        ("looked", "Where the answer looked", Icon::Crosshair),
    ];
    if !panel.curve.curves.is_empty() {
        entries.extend(Format::ALL.map(|f| (curve_id(f), curve_title(f), Icon::Download)));
    }
    let entries = entries.into_iter().map(|(id, title, icon)| Action { id, title: title.to_owned(), icon });
    let task = |t: &'static crate::types::TaskTable| Action {
        id: t.id.as_str(),
        title: format!("Task: {}", t.title),
        icon: Icon::FlaskConical,
    };
    entries.chain(file::actions()).chain(shipped_tasks().iter().map(task)).collect()
}

fn curve_id(format: Format) -> &'static str {
    match format {
        Format::Svg => "curve-svg",
        Format::Png => "curve-png",
        Format::Csv => "curve-csv",
    }
}

fn curve_title(format: Format) -> &'static str {
    match format {
        Format::Svg => "Export curves as SVG",
        Format::Png => "Export curves as PNG",
        Format::Csv => "Export curves as CSV",
    }
}

/// Does what an entry says.
pub(super) fn act(panel: &mut LabPanel, id: &'static str, cx: &mut Cx<'_>) {
    let side = panel.desk.side;
    match id {
        "score" => {
            panel.score(cx);
        }
        "draw" => {
            let k = panel.desk.asked().examples.len();
            panel.desk.setup.draw(side, k, controls::fresh_seed());
        }
        "another" => panel.desk.setup.ask_another(0),
        "two" => panel.show_two(!panel.desk.setup.two),
        "open-table" => cx.pick(TABLE_FILE, controls::table_file()),
        "new-task" => panel.new_task(cx),
        "to-prompt" => {
            let prompt = panel.desk.prompt();
            cx.intend(Intent::Prompt(prompt));
        }
        "train" => panel.train(cx),
        "measure" => {
            panel.tab = Tab::Curve;
            panel.curve.measure(&panel.desk, cx);
        }
        "batch" => {
            panel.tab = Tab::Batch;
            panel.batch.run(&panel.desk, cx);
        }
        "looked" => panel.tab = Tab::Looked,
        _ if file::act(panel, id, cx) => {}
        _ => {
            if let Some(format) = Format::ALL.into_iter().find(|f| curve_id(*f) == id) {
                panel.curve.export(format, cx);
            } else if let Some(task) = shipped_tasks().iter().find(|task| task.id == id) {
                panel.desk.begin(Arc::new(task.clone()), cx);
            }
        }
    }
}
