//! `fovea pace`.

use super::CliError;
use super::args::{DeviceName, ModelArgs};
use super::output::{print, print_json, write_file};
use super::session::{Session, unexpected};
use super::spec::shape_of_recipe;
use super::train::{bar, catch_ctrl_c};
use crate::chart::{Format, number_grouped, pace_figure};
use crate::engine::{Command, Event, Outcome, Work};
use crate::types::{
    Init, JobId, LlamaShape, PaceNetwork, PacePass, PacePoint, PaceProcessor, PaceReport, PaceSpec, UserError,
    printable,
};
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// `fovea pace`.
#[derive(Debug, Args)]
pub(super) struct PaceArgs {
    /// A model that writes; may be given several times
    #[arg(long, value_name = "DIR")]
    pub model: Vec<PathBuf>,
    /// A training recipe, of which the [task.shape] is built with random weights; may be given several times. Without a model and a recipe:
    /// a transformer, an LSTM, a plain RNN and a feed-forward network with as many numbers each
    #[arg(long, value_name = "FILE")]
    pub recipe: Vec<PathBuf>,
    /// Width of that transformer, of which the others have the size
    #[arg(long, value_name = "D", default_value_t = 128, conflicts_with_all = ["model", "recipe"])]
    pub hidden: usize,
    /// Blocks of that transformer
    #[arg(long, value_name = "N", default_value_t = 4, conflicts_with_all = ["model", "recipe"])]
    pub layers: usize,
    /// Tokens of one sequence
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "16,32,64,128,256,512")]
    pub lengths: Vec<usize>,
    /// Sequences side by side
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,2,4,8,16,32")]
    pub batches: Vec<usize>,
    /// Tokens of each of those
    #[arg(long, value_name = "T", default_value_t = 64)]
    pub batch_length: usize,
    /// How long each point is repeated at least
    #[arg(long, value_name = "SECONDS", default_value_t = 0.2)]
    pub seconds: f64,
    /// Of random weights and tokens
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Where to compute: on a GPU, the CPU is measured beside it
    #[arg(long, value_enum, default_value_t)]
    pub device: DeviceName,
    /// Every point as a JSON object
    #[arg(long)]
    pub json: bool,
    /// Draw tokens a second against length and batch, or write every point as CSV
    #[arg(long, value_name = "FILE.svg|png|csv")]
    pub out: Option<PathBuf>,
}

/// Measures how many tokens a second networks read and learn; Ctrl-C ends with what there is.
pub(super) fn run(args: &PaceArgs) -> Result<(), CliError> {
    let format = args.out.as_deref().map(Format::from_path).transpose().map_err(UserError::from)?;
    let interrupted = catch_ctrl_c("Nothing was measured.")?;
    let session = Session::start(args.device);
    let report = measure(&session, spec(args, &session)?, &interrupted)?;
    if args.json {
        print_json(&*report)?;
    } else {
        print(&describe(&report))?;
    }
    if let (Some(path), Some(format)) = (&args.out, format) {
        write_file(path, &pace_figure(&report, format).map_err(UserError::from)?)?;
    }
    if interrupted.load(Ordering::Relaxed) { Err(CliError::Interrupted) } else { Ok(()) }
}

fn spec(args: &PaceArgs, session: &Session) -> Result<PaceSpec, CliError> {
    let mut networks = Vec::new();
    for dir in &args.model {
        let info = session.open_model(&ModelArgs { model: dir.clone(), adapter: None, device: args.device })?;
        networks.push(PaceNetwork::Open(info.id));
    }
    for path in &args.recipe {
        let name = path.file_stem().map_or_else(|| "recipe".into(), |name| name.to_string_lossy().into_owned());
        networks.push(PaceNetwork::Drawn { name, shape: shape_of_recipe(path)? });
    }
    if networks.is_empty() {
        let longest = args.lengths.iter().copied().max().unwrap_or(0).max(args.batch_length);
        networks = PaceNetwork::beside(LlamaShape {
            hidden: args.hidden,
            layers: args.layers,
            intermediate: (args.hidden.saturating_mul(8) / 3).next_multiple_of(8),
            max_positions: longest,
            ..usual()
        });
    }
    let PaceArgs { lengths, batches, batch_length, seconds, seed, .. } = args;
    let (lengths, batches) = (lengths.clone(), batches.clone());
    Ok(PaceSpec { networks, lengths, batches, batch_length: *batch_length, seconds: *seconds, seed: *seed })
}

fn usual() -> LlamaShape {
    LlamaShape {
        hidden: 128,
        layers: 4,
        heads: 4,
        kv_heads: 4,
        intermediate: 344,
        max_positions: 512,
        vocabulary: 2048,
        init: Init::Normal,
    }
}

fn measure(session: &Session, spec: PaceSpec, interrupted: &AtomicBool) -> Result<Arc<PaceReport>, CliError> {
    let (job, progress) = (JobId::next(), bar(0));
    session.send(Command::start(job, None, Work::Pace(Box::new(spec))))?;
    let mut cancelled = false;
    let report = loop {
        let next = session.next(job, &mut |event| {
            if let Event::Progress { label, done, total, .. } = event {
                progress.set_length(total);
                progress.set_position(done);
                progress.set_message(label);
            }
            Ok(())
        })?;
        match next {
            Some(Outcome::Paced(report)) => break report,
            Some(Outcome::Cancelled) => break Arc::default(),
            Some(_) => return Err(unexpected()),
            None if interrupted.load(Ordering::Relaxed) && !cancelled => {
                cancelled = true;
                session.send(Command::Cancel { job })?;
            }
            None => {}
        }
    };
    progress.finish_and_clear();
    Ok(report)
}

/// A table for each pass: a row a size, a column a network and processor, in tokens a second.
fn describe(report: &PaceReport) -> String {
    let mut text = String::new();
    for network in &report.networks {
        let (name, numbers) = (printable(&network.name), number_grouped(network.parameters));
        text += &format!("{name}: {}, {numbers} numbers\n", network.architecture);
    }
    let processors = report.processors();
    for pass in PacePass::ALL {
        let points: Vec<&PacePoint> = report.points.iter().filter(|point| point.pass == pass).collect();
        if points.is_empty() {
            continue;
        }
        text += match pass {
            PacePass::Read => "\ntokens a second, read (forward)\n",
            PacePass::Learn => "\ntokens a second, learned (forward and backward)\n",
        };
        let mut columns = Vec::new();
        for (number, network) in report.networks.iter().enumerate() {
            for processor in &processors {
                let on = match processor {
                    PaceProcessor::AllCores => format!("{} cores", report.threads),
                    PaceProcessor::OneCore | PaceProcessor::Gpu => processor.words().to_owned(),
                };
                columns.push((number, *processor, format!("{}, {on}", printable(&network.name))));
            }
        }
        text += "batch × length";
        for (.., name) in &columns {
            text += &format!("  {name:>14}");
        }
        let mut sizes: Vec<(usize, usize)> = Vec::new();
        for point in &points {
            if !sizes.contains(&(point.batch, point.length)) {
                sizes.push((point.batch, point.length));
            }
        }
        for (batch, length) in sizes {
            text += &format!("\n{:>14}", format!("{batch} × {length}"));
            for (network, processor, name) in &columns {
                let found = points.iter().find(|point| {
                    (point.network, point.processor, point.batch, point.length) == (*network, *processor, batch, length)
                });
                let words = found
                    .map_or_else(|| "–".to_owned(), |point| number_grouped(point.tokens_per_second().round() as u64));
                text += &format!("  {words:>width$}", width = name.chars().count().max(14));
            }
        }
        text.push('\n');
    }
    text
}
