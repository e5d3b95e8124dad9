//! `fovea adapt`: ways to adapt a model to one task, side by side.

mod words;

use super::args::ModelArgs;
use super::output::{print, print_json, tell, write_file};
use super::session::{Session, unexpected};
use super::train::{bar, catch_ctrl_c};
use super::{CliError, tasks};
use crate::chart::{AdaptFigure, Format, adapt_figure};
use crate::engine::{AdaptWork, Command, Event, Outcome, Work, shipped_tasks};
use crate::types::{
    AdaptMetric, AdaptPoint, AdaptPrompt, AdaptReport, AdaptSpec, AdaptTraining, FeaturePooling, JobId, LabelNoise,
    LabelledSource, LoraSpec, ModelInfo, PriceAssumptions, UserError, Way,
};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// `fovea adapt`.
#[derive(Debug, Args)]
pub struct AdaptArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Labelled texts: a CSV, TSV or JSONL file, or a table of a task that has labels; for a vision transformer or a digit network a
    /// folder with a folder of pictures for each class, or one in MNIST's format
    #[arg(long, value_name = "PATH")]
    pub data: PathBuf,
    /// A file or folder of its own for the test [default: that of a folder in MNIST's format]
    #[arg(long, value_name = "PATH")]
    pub test: Option<PathBuf>,
    /// Share held out for the test where it has no file
    #[arg(long, value_name = "SHARE", default_value_t = 0.3)]
    pub test_share: f64,
    /// Texts or pictures of the test that are measured on at most
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub test_rows: usize,
    /// The column of the texts: its name, or its number from 1 [default: text, sentence or the like]
    #[arg(long, value_name = "NAME")]
    pub text_column: Option<String>,
    /// The column of the labels [default: label, class or the like]
    #[arg(long, value_name = "NAME")]
    pub label_column: Option<String>,
    /// Seed of the split
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub split_seed: u64,
    /// Ways with commas between them: examples, embeddings, prototypes, head, lora, full, scratch
    #[arg(long, value_name = "LIST", default_value = "examples,embeddings,head,lora,full,scratch")]
    pub ways: String,
    /// Numbers of examples with commas between them; the word all stands for all there are
    #[arg(long, value_name = "LIST", default_value = "1,4,16,64")]
    pub sizes: String,
    /// Seeds 1 to N, each with other examples
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub seeds: u64,
    /// What is done to the labels of the examples; several are measured one after the other
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',', default_value = "true")]
    pub labels: Vec<NoiseName>,
    /// Which vector of a decoder stands for a text
    #[arg(long, value_enum, default_value = "mean")]
    pub pooling: PoolingName,
    /// How an example is written in a prompt, with {input} and {output}; a line break is \n [default: that of the task's table]
    #[arg(long, value_name = "TEXT")]
    pub template: Option<String>,
    /// Said once before the examples
    #[arg(long, value_name = "TEXT")]
    pub instruction: Option<String>,
    /// Words for the classes in a prompt, in their order, with commas between them [default: the labels]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub words: Vec<String>,
    /// Choose among the words by contextual calibration
    #[arg(long)]
    pub calibrate: bool,
    /// Passes over the examples, of what trains
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub epochs: usize,
    /// Examples a step at most
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub batch: usize,
    /// Steps at most
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub most_steps: usize,
    /// Peak learning rate of a way, such as full=1e-4; may be given several times
    #[arg(long, value_name = "WAY=RATE", value_parser = rate)]
    pub rate: Vec<(Way, f64)>,
    /// Rank of low-rank changes
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub rank: usize,
    /// Watts that the computer draws, for the energy
    #[arg(long, value_name = "W", default_value_t = PriceAssumptions::default().watts)]
    pub watts: f64,
    /// What a hosted model asks for a million tokens that it reads, and for a million that it writes
    #[arg(long, value_name = "PRICE", num_args = 2, value_names = ["READ", "WRITTEN"])]
    pub prices: Option<Vec<f64>>,
    /// Queries that are paid for
    #[arg(long, value_name = "N", default_value_t = PriceAssumptions::default().queries)]
    pub queries: u64,
    /// Keep what is measured in this file, and go on with what it holds
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
    /// Write a figure or a table: SVG, PNG or CSV
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// What the figure shows
    #[arg(long, value_enum, default_value = "accuracy")]
    pub metric: MetricName,
    /// Everything as a JSON object
    #[arg(long)]
    pub json: bool,
}

/// What is done to labels.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum NoiseName {
    /// Nothing
    True,
    /// They change places
    Shuffled,
    /// A fifth is wrong
    Wrong,
}

/// Which vector stands for a text.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PoolingName {
    /// The mean over its tokens
    Mean,
    /// That of its last token
    Last,
}

/// What a figure shows.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum MetricName {
    /// Share of right answers
    Accuracy,
    /// Mean F1 of the classes
    F1,
    /// Mean ln P of the right class
    LogProb,
}

/// What `--resume` keeps.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The model's name and the SHA-256 of its weights.
    model: [String; 2],
    report: AdaptReport,
}

/// Compares; Ctrl-C ends with what there is.
pub(super) fn run(args: &AdaptArgs) -> Result<(), CliError> {
    let format = args.out.as_deref().map(Format::from_path).transpose().map_err(UserError::from)?;
    let interrupted = catch_ctrl_c("The comparison was not started.")?;
    let session = Session::start(args.model.device);
    let spec = spec(args, &session)?;
    spec.check()?;
    let info = session.open_model(&args.model)?;
    let model = [info.name.clone(), if args.resume.is_some() { fingerprint(&session, &info)? } else { String::new() }];
    let known = args.resume.as_deref().map(|path| known(path, &model, &spec)).transpose()?.unwrap_or_default();
    if !known.is_empty() {
        tell(format_args!("{} points were measured before", known.len()));
    }
    let report = measure(&session, &info, AdaptWork { spec, known }, &interrupted, |report| {
        let Some(path) = &args.resume else { return Ok(()) };
        keep(path, &Kept { model: model.clone(), report: report.clone() })
    })?;
    let Some(report) = report else { return Err(CliError::Interrupted) };
    for note in &report.notes {
        tell(format_args!("note: {note}"));
    }
    let assumed = assumed(args);
    if args.json {
        print_json(&words::Told { report: &report, prices: report.prices(&assumed), assumed, says: report.says() })?;
    } else {
        print(&words::describe(&info.name, &report, &assumed))?;
    }
    if let (Some(path), Some(format)) = (&args.out, format) {
        let metric = match args.metric {
            MetricName::Accuracy => AdaptMetric::Accuracy,
            MetricName::F1 => AdaptMetric::MacroF1,
            MetricName::LogProb => AdaptMetric::LogProb,
        };
        let noise = report.spec.noises.first().copied().unwrap_or_default();
        let figure = AdaptFigure { model: &info.name, report: &report, metric, noise };
        write_file(path, &adapt_figure(&figure, format).map_err(UserError::from)?)?;
    }
    if interrupted.load(Ordering::Relaxed) { Err(CliError::Interrupted) } else { Ok(()) }
}

fn spec(args: &AdaptArgs, session: &Session) -> Result<AdaptSpec, CliError> {
    let noise = |name: &NoiseName| match name {
        NoiseName::True => LabelNoise::True,
        NoiseName::Shuffled => LabelNoise::Shuffled,
        NoiseName::Wrong => LabelNoise::FifthWrong,
    };
    let lora = LoraSpec { rank: args.rank, alpha: 2.0 * args.rank as f64, ..AdaptTraining::default().lora };
    let (epochs, batch, most_steps) = (args.epochs, args.batch, args.most_steps);
    Ok(AdaptSpec {
        data: LabelledSource {
            data: data(&args.data),
            validation: None,
            test: args.test.clone(),
            text: args.text_column.clone(),
            label: args.label_column.clone(),
            validation_share: 0.0,
            test_share: args.test_share,
            seed: args.split_seed,
        },
        ways: args.ways.split(',').map(way).collect::<Result<_, _>>()?,
        sizes: args.sizes.split(',').map(size).collect::<Result<_, _>>()?,
        seeds: (1..=args.seeds).collect(),
        noises: args.labels.iter().map(noise).collect(),
        test: args.test_rows,
        pooling: match args.pooling {
            PoolingName::Mean => FeaturePooling::Mean,
            PoolingName::Last => FeaturePooling::LastToken,
        },
        prompt: prompt(args, session),
        training: AdaptTraining {
            epochs,
            batch,
            most_steps,
            lora,
            rates: args.rate.clone(),
            ..AdaptTraining::default()
        },
    })
}

/// The file, or the table of the shipped task that is called so.
fn data(given: &Path) -> PathBuf {
    let name = given.to_string_lossy();
    let is_task = !given.exists() && shipped_tasks().iter().any(|task| task.id == name);
    if is_task { Path::new("assets/tasks").join(format!("{name}.tsv")) } else { given.to_owned() }
}

/// As the table of a task writes its examples, where the data is one.
fn prompt(args: &AdaptArgs, session: &Session) -> AdaptPrompt {
    // What a file of texts has odd about it as a table of pairs is nobody's question here.
    let is_own = |path: &Path| {
        let first = std::fs::File::open(path).and_then(|file| {
            let mut first = [0; 2];
            std::io::Read::read_exact(&mut { file }, &mut first).map(|()| first)
        });
        first.is_ok_and(|first| &first == b"# ")
    };
    let is_table = !args.data.exists() || is_own(&args.data);
    let table = if is_table { tasks::table(session, &args.data.display().to_string()).ok() } else { None };
    let mut prompt = AdaptPrompt { words: args.words.clone(), calibrate: args.calibrate, ..AdaptPrompt::default() };
    if let Some(table) = table.filter(|table| !table.labels.is_empty()) {
        prompt.instruction.clone_from(&table.instruction);
        prompt.template.clone_from(&table.template);
        prompt.separator.clone_from(&table.separator);
    }
    if let Some(template) = &args.template {
        prompt.template = template.replace("\\n", "\n");
    }
    if let Some(instruction) = &args.instruction {
        prompt.instruction = instruction.replace("\\n", "\n");
    }
    prompt
}

fn way(name: &str) -> Result<Way, UserError> {
    let name = name.trim();
    Way::of_name(name).ok_or_else(|| {
        let names: Vec<&str> = Way::ALL.into_iter().map(Way::name).collect();
        UserError::new(
            format!("{name:?} is no way to adapt a model."),
            format!("There are {}.", names.join(", ")),
            "Write the ways with commas between them.",
        )
    })
}

fn size(text: &str) -> Result<usize, UserError> {
    let text = text.trim();
    if text == "all" {
        return Ok(usize::MAX);
    }
    text.parse().map_err(|_| {
        UserError::new(
            format!("{text:?} is no number of examples."),
            "It is a whole number from 1 upwards, or all.",
            "Write numbers with commas between them, such as --sizes 1,4,16,all.",
        )
    })
}

fn rate(text: &str) -> Result<(Way, f64), String> {
    let (name, rate) = text.split_once('=').ok_or("write it like full=1e-4")?;
    let way = Way::of_name(name.trim()).ok_or_else(|| format!("{name:?} is no way"))?;
    Ok((way, rate.trim().parse().map_err(|_| format!("{rate:?} is no number"))?))
}

fn assumed(args: &AdaptArgs) -> PriceAssumptions {
    let mut assumed = PriceAssumptions { watts: args.watts, queries: args.queries, ..PriceAssumptions::default() };
    if let Some([read, written]) = args.prices.as_deref() {
        (assumed.read, assumed.written) = (*read, *written);
    }
    assumed
}

fn fingerprint(session: &Session, info: &ModelInfo) -> Result<String, CliError> {
    let job = JobId::next();
    match session.run(job, Command::start(job, info.id, Work::Fingerprint), |_| Ok(()))? {
        Outcome::Fingerprinted(hash) => Ok(hash),
        _ => Err(unexpected()),
    }
}

/// Points of an earlier run of the same model, data and settings.
fn known(path: &Path, model: &[String; 2], spec: &AdaptSpec) -> Result<Vec<AdaptPoint>, UserError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(not_ours(path, &error.to_string())),
    };
    let kept: Kept = serde_json::from_str(&text).map_err(|error| not_ours(path, &error.to_string()))?;
    let AdaptSpec { ways, sizes, seeds, noises, .. } = spec.clone();
    // Other ways, sizes and seeds are measured beside those that are there.
    let alike = AdaptSpec { ways, sizes, seeds, noises, ..kept.report.spec };
    if kept.model != *model || alike != *spec {
        let why = if kept.model == *model {
            "It was measured with other data or settings.".to_owned()
        } else {
            format!("It was measured with {}.", kept.model[0])
        };
        return Err(UserError::new(
            format!("{} holds another comparison.", path.display()),
            why,
            "Name another file with --resume, or repeat the settings.",
        ));
    }
    Ok(kept.report.points)
}

fn not_ours(path: &Path, why: &str) -> UserError {
    UserError::new(
        format!("{} cannot be gone on with.", path.display()),
        format!("It is no comparison that was kept: {why}."),
        "Name another file with --resume.",
    )
}

fn keep(path: &Path, kept: &Kept) -> Result<(), CliError> {
    let text = serde_json::to_string(kept).map_err(|error| not_ours(path, &error.to_string()))?;
    write_file(path, text.as_bytes())
}

/// `None` where nothing was measured before it was stopped.
fn measure(
    session: &Session,
    info: &ModelInfo,
    work: AdaptWork,
    interrupted: &AtomicBool,
    keep: impl Fn(&AdaptReport) -> Result<(), CliError>,
) -> Result<Option<Arc<AdaptReport>>, CliError> {
    let (job, progress) = (JobId::next(), bar(0));
    session.send(Command::start(job, info.id, Work::Adapt(Box::new(work))))?;
    let mut cancelled = false;
    loop {
        let next = session.next(job, &mut |event| {
            match event {
                Event::Progress { label, done, total, .. } => {
                    progress.set_length(total);
                    progress.set_position(done);
                    progress.set_message(label);
                }
                Event::SoFar { outcome: Outcome::WaysCompared(report), .. } => keep(&report)?,
                _ => {}
            }
            Ok(())
        })?;
        match next {
            Some(Outcome::WaysCompared(report)) => {
                progress.finish_and_clear();
                keep(&report)?;
                return Ok(Some(report));
            }
            Some(Outcome::Cancelled) => return Ok(None),
            Some(_) => return Err(unexpected()),
            None if interrupted.load(Ordering::Relaxed) && !cancelled => {
                cancelled = true;
                session.send(Command::Cancel { job })?;
            }
            None => {}
        }
    }
}
