//! The worker driven by hand, without a thread: one command or one step at a time.

use super::*;
use crate::engine::{GenerateSpec, PromptInput};
use crate::types::{DeviceStatus, GenerationStats, Sampling, StopReason};
use std::sync::mpsc::sync_channel;

/// Runs a script on a worker that claims to be on a GPU, on a thread with the engine's name, where panics are kept
/// instead of printed. Gives what the script gives, and all events after the first.
fn scripted<R: Send + 'static>(script: impl FnOnce(&mut Worker) -> R + Send + 'static) -> (R, Vec<Event>) {
    let run = move || {
        let (queue, events) = sync_channel(64);
        let (tokenizers, _) = sync_channel(1);
        let mut device = device::open(DeviceChoice::Cpu, 1);
        device.status = DeviceStatus { is_gpu: true, name: "Some GPU".into(), ..device.status };
        let mut worker = Worker::new(device, EventSink::new(queue, Box::new(|| ())), tokenizers);
        let given = script(&mut worker);
        (given, events.try_iter().collect::<Vec<_>>())
    };
    let name = format!("{}test", crate::engine::guard::THREAD_PREFIX);
    let (given, mut events) = std::thread::Builder::new().name(name).spawn(run).unwrap().join().unwrap();
    assert!(matches!(events.remove(0), Event::Device(_)), "the device is told first");
    (given, events)
}

/// Counts its steps; panics at one of them if told to.
struct Counting {
    steps: usize,
    panics_at: usize,
}

impl Task for Counting {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        self.steps += 1;
        assert!(self.steps != self.panics_at, "step {} went wrong", self.steps);
        let (label, done) = (String::new(), self.steps as u64);
        (cx.emit)(Event::Progress { job: cx.job, label, done, total: 0, unit: "steps" });
        Ok(Step::More)
    }

    fn cancel(&mut self, _: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        let stop = StopReason::Cancelled;
        let stats = GenerationStats { stop, prompt_tokens: 0, new_tokens: self.steps, ttft_ms: 0.0, tokens_per_s: 0.0 };
        Ok(Outcome::Generated(stats))
    }
}

fn add(worker: &mut Worker, work: Work, panics_at: usize) -> JobId {
    let (id, task) = (JobId::next(), Box::new(Counting { steps: 0, panics_at }));
    worker.scheduler.add(Job { id, work: Arc::new(work), model: Some(ModelId(1)), task, paused: false });
    id
}

fn generate() -> Work {
    let prompt = PromptInput::Ids(vec![1]);
    Work::Generate(GenerateSpec { prompt, sampling: Sampling::default(), edits: Vec::new() })
}

fn train() -> Work {
    let text =
        "learning_rate = 0.1\nbatch_size = 1\nsteps = 1\n[task]\nkind = \"digits\"\ndata = \"d\"\nnetwork = \"mlp\"";
    Work::Train(toml::from_str(text).unwrap())
}

fn steps(worker: &mut Worker, count: usize) {
    (0..count).for_each(|_| worker.step());
}

fn failures(events: &[Event]) -> Vec<(Option<JobId>, &UserError)> {
    let failure = |event| match event {
        &Event::Failed { job, ref error } => Some((job, error)),
        _ => None,
    };
    events.iter().filter_map(failure).collect()
}

/// The last step a job has told of.
fn last_step(events: &[Event], of: JobId) -> u64 {
    let step = |event: &Event| match event {
        Event::Progress { job, done, .. } if *job == of => Some(*done),
        _ => None,
    };
    events.iter().filter_map(step).next_back().unwrap_or(0)
}

fn status(events: &[Event]) -> Option<&DeviceStatus> {
    events.iter().find_map(|event| if let Event::Device(status) = event { Some(status) } else { None })
}

#[test]
fn a_panic_ends_one_job_with_an_error_and_the_other_goes_on() {
    let ((broken, sound), events) = scripted(|worker| {
        let jobs = (add(worker, generate(), 2), add(worker, generate(), 0));
        steps(worker, 6);
        jobs
    });
    let failures = failures(&events);
    let [(job, error)] = failures.as_slice() else { panic!("one failure, not {failures:?}") };
    assert_eq!(*job, Some(broken));
    assert!(error.what.starts_with("The generation"), "{error}");
    assert!(error.detail.contains("step 2 went wrong") && error.detail.contains("worker_tests.rs"), "{error}");
    assert_eq!(last_step(&events, sound), 4, "six steps, two of them the broken job's");
}

#[test]
fn a_cancelled_job_takes_no_further_step_and_ends_with_what_it_has() {
    let (idle, events) = scripted(|worker| {
        let job = add(worker, generate(), 0);
        steps(worker, 3);
        worker.obey(Command::Cancel { job });
        steps(worker, 1);
        worker.scheduler.is_idle()
    });
    assert_eq!(events.len(), 4, "three steps and the end");
    let Some(Event::Done { outcome: Outcome::Generated(stats), .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!((stats.new_tokens, &stats.stop), (3, &StopReason::Cancelled));
    assert!(idle);
}

#[test]
fn a_held_job_stands_still_and_goes_on_where_it_was() {
    let (job, events) = scripted(|worker| {
        let job = add(worker, train(), 0);
        steps(worker, 1);
        worker.obey(Command::Pause { job });
        steps(worker, 5);
        worker.obey(Command::Resume { job });
        steps(worker, 1);
        job
    });
    assert_eq!(last_step(&events, job), 2, "one before it was held, none while, one after");
    let paused = events.iter().filter_map(|event| match event {
        Event::Paused { paused, .. } => Some(*paused),
        _ => None,
    });
    assert_eq!(paused.collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_lost_gpu_gives_way_to_the_cpu_and_says_so() {
    let ((lost, other), events) = scripted(|worker| {
        worker.check = |_| Err("device lost".to_owned());
        let jobs = (add(worker, train(), 1), add(worker, train(), 0));
        steps(worker, 1);
        jobs
    });
    let now = status(&events);
    assert!(now.is_some_and(|now| !now.is_gpu && now.reason.contains("device lost")), "{now:?}");
    let failures = failures(&events);
    let [(job, error)] = failures.as_slice() else { panic!("one failure, not {failures:?}") };
    assert_eq!(*job, Some(lost));
    assert!(error.what.contains("Some GPU stopped working"), "{error}");
    let ended = events.iter().any(|event| matches!(event, Event::Done { job, .. } if *job == other));
    assert!(ended, "the other job ended with what it had");
}

#[test]
fn a_panic_on_a_gpu_that_still_works_changes_no_device() {
    let (is_gpu, events) = scripted(|worker| {
        add(worker, train(), 1);
        steps(worker, 1);
        worker.device.status.is_gpu
    });
    assert!(is_gpu && status(&events).is_none());
    assert_eq!(failures(&events).len(), 1);
}

#[test]
fn a_second_training_run_on_a_model_is_refused() {
    let ((), events) = scripted(|worker| {
        add(worker, train(), 0);
        worker.obey(Command::start(JobId::next(), ModelId(1), train()));
    });
    let failures = failures(&events);
    assert!(matches!(failures.as_slice(), [(Some(_), error)] if error.why.contains("being trained")), "{failures:?}");
}

#[test]
fn work_that_needs_a_model_and_names_none_is_refused() {
    let ((), events) = scripted(|worker| worker.obey(Command::start(JobId::next(), None, Work::Fingerprint)));
    let failures = failures(&events);
    assert!(matches!(failures.as_slice(), [(Some(_), error)] if error.what.contains("not open")), "{failures:?}");
}
