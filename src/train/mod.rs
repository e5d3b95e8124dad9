//! Training, a step at a time: the loop, the optimiser and its groups of parameters, checkpoints, and the objectives.
//!
//! Nothing here knows of jobs, open models or events: a [`Run`] is given a network and an [`Objective`], and says after every
//! step what happened. Whoever drives it shows the points, keeps the network and saves it.
//! Start reading at [`Run::advance`].

mod baselines;
mod check;
mod checkpoint;
pub(crate) mod data;
mod exact;
mod examples;
mod glimpse;
mod init;
pub(crate) mod linear;
mod logs;
pub(crate) mod objective;
pub(crate) mod objectives;
mod optimiser;
mod place;
mod record;
mod run;
mod sample;
mod schedule;
mod stream;
pub(crate) mod text_loss;
mod trainable;
mod watch;

pub(crate) use baselines::{CountBaselines, CountedFor};
pub(crate) use check::check;
pub(crate) use checkpoint::Checkpoint;
pub(crate) use examples::{Drawn, Example, TextExamples, digit_examples};
pub(crate) use init::{drawn_model, drawn_network};
pub(crate) use objective::{Objective, Preparation, Progress, Setup};
pub(crate) use place::{Place, written_spec};
pub(crate) use record::{
    START_FOLDER, delete_run, kept_runs, read_curve, read_record, read_samples, remove_means, write_record,
};
pub(crate) use run::{Happened, Run};
pub(crate) use watch::{read_snapshots, snapshot_folder, write_weights};
