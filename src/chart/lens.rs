//! The logit lens as a table.

use super::ChartError;
use super::table::Rows;
use crate::types::LensReport;

/// The lens as CSV, a row for each state and token: what stands there, what is likeliest, and how the followed token fares.
///
/// # Errors
/// [`ChartError::Encode`] when the table cannot be written.
pub fn lens_table(report: &LensReport) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    let place = ["state", "position", "token", "likeliest", "likeliest_probability"];
    let followed = ["followed", "rank", "probability", "entropy_nats", "kl_nats"];
    rows.write(place.into_iter().chain(followed).map(str::to_owned))?;
    for (state, cells) in report.states.iter().enumerate() {
        for (position, (cell, token)) in cells.iter().zip(&report.tokens).enumerate() {
            let (likeliest, log_prob) = cell.top.first().copied().unwrap_or((cell.followed, f32::NAN));
            let of_place = [LensReport::state_name(state), position.to_string(), token.text.clone()];
            let said = [report.name(likeliest).to_owned(), log_prob.exp().to_string()];
            let numbers = [cell.log_prob.exp(), cell.entropy, cell.divergence].map(|number| number.to_string());
            let followed = [report.name(cell.followed).to_owned(), cell.rank.to_string()];
            rows.write(of_place.into_iter().chain(said).chain(followed).chain(numbers))?;
        }
    }
    rows.finish()
}
