//! The engine from outside, by script: commands in, events out, with a real thread between.

mod support;

use fovea::engine::{Command, Event, GenerateSpec, InspectSpec, Outcome, PromptInput, SaveSpec, Work};
use fovea::types::{DeviceChoice, JobId, ModelId, Precision, PromptToken, Sampling, SiteFilter, StopReason, TrainSpec};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use support::data::{digit_image, write_lines};
use support::root;
use support::script::{PATIENCE, Script, cpu_ticks, ids, many, stop_of, trained_digits};

#[test]
fn opening_tells_device_progress_model_and_end_in_this_order() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let info = script.open(&root().join("tests/golden/llama"));
    let blocks = info.shape.blocks().unwrap();
    assert_eq!((blocks.layers, blocks.heads, blocks.kv_heads, info.shape.vocabulary()), (2, 4, 2, Some(64)));
    let order: Vec<_> = script
        .seen
        .iter()
        .map(|event| match event {
            Event::Device(_) => "device",
            Event::Progress { .. } => "progress",
            Event::Model { .. } => "model",
            Event::Done { .. } => "done",
            _ => "other",
        })
        .collect();
    let mut distinct = order.clone();
    distinct.dedup();
    assert_eq!(distinct, ["device", "progress", "model", "done"], "{order:?}");
    let Some(Event::Progress { done, total, unit, .. }) =
        script.seen.iter().rev().find(|event| matches!(event, Event::Progress { .. }))
    else {
        panic!()
    };
    assert!(done == total && *total > 30_000 && *unit == "bytes", "{done} of {total} {unit}");
    script.listen(Duration::from_millis(50)); // the call follows the event
    assert_eq!(script.wakes.load(Ordering::Relaxed), script.seen.len(), "the window is woken for every event");
}

#[test]
fn a_generation_tells_its_prompt_each_token_and_how_it_ended() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let info = script.open(&root().join("tests/golden/gpt2"));
    let job = script.generate(info.id, PromptInput::Text("abc".into()), many(6));
    let (stop, new_tokens) = stop_of(script.end(job).unwrap());
    assert_eq!(stop, StopReason::MaxNewTokens);
    let (mut prompt, mut tokens): (Vec<PromptToken>, Vec<_>) = (Vec::new(), Vec::new());
    for event in &script.seen {
        match event {
            Event::Prompted { job: of, tokens } if *of == job => prompt.clone_from(tokens),
            Event::Token { job: of, token } if *of == job => tokens.push(token.clone()),
            _ => {}
        }
    }
    assert_eq!((prompt.len(), new_tokens, tokens.len()), (3, 6, 6));
    for token in &tokens {
        let chosen = token.top.first().unwrap();
        assert_eq!(chosen.id, token.id, "greedy takes the most likely token");
        assert!((chosen.probability.ln() - token.logprob).abs() < 1e-4, "{token:?}");
        assert_eq!(token.top.len(), 10);
    }
}

#[test]
fn one_seed_gives_one_text_and_another_seed_another() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let info = script.open(&root().join("tests/golden/gpt2"));
    let mut draw = |seed| {
        let sampling = Sampling { temperature: 1.0, seed, ..many(16) };
        let job = script.generate(info.id, ids([1, 2, 3]), sampling);
        script.end(job).unwrap();
        script.ids_of(job)
    };
    let (first, again, other) = (draw(1), draw(1), draw(2));
    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[test]
fn a_generation_stops_soon_after_it_is_told_to_and_keeps_what_it_has() {
    let scratch = tempfile::tempdir().unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    let info = script.open_slow(scratch.path());
    let job = script.generate(info.id, ids([1, 2, 3]), many(4000));
    script.until("a token", |event| matches!(event, Event::Token { .. }).then_some(()));
    script.send(Command::Cancel { job });
    let (stop, new_tokens) = stop_of(script.end(job).unwrap());
    assert_eq!(stop, StopReason::Cancelled);
    assert_eq!(script.ids_of(job).len(), new_tokens);
    assert!(new_tokens < 2000, "it went on for {new_tokens} tokens");
    let late = script.listen(Duration::from_millis(100));
    assert!(late.is_empty(), "nothing follows the end: {late:?}");
}

#[test]
fn a_held_generation_is_silent_and_then_writes_the_same_text() {
    let scratch = tempfile::tempdir().unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    let info = script.open_slow(scratch.path());
    let undisturbed = script.generate(info.id, ids([5]), many(120));
    script.end(undisturbed).unwrap();
    let job = script.generate(info.id, ids([5]), many(120));
    script.until("a token", |event| matches!(event, Event::Token { job: of, .. } if *of == job).then_some(()));
    script.send(Command::Pause { job });
    script.until("the pause", |event| matches!(event, Event::Paused { paused: true, .. }).then_some(()));
    let silence = script.listen(Duration::from_millis(200));
    assert!(silence.is_empty(), "{silence:?}");
    script.send(Command::Resume { job });
    script.end(job).unwrap();
    assert_eq!(script.ids_of(job), script.ids_of(undisturbed));
}

#[test]
fn every_causal_family_is_trained_further_and_saved() {
    let scratch = tempfile::tempdir().unwrap();
    let text = write_lines(scratch.path());
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in ["gpt-neox", "gpt-neox-sequential", "mistral", "qwen2", "qwen3", "gemma2"] {
        let model = script.open(&root().join("tests/golden").join(name)).id;
        let spec = format!(
            "learning_rate = 0.01\nbatch_size = 4\nsteps = 60\neval_every = 20\nvalidation_share = 0.2\n\
             start = {{ from = \"open_model\" }}\n[task]\nkind = \"text\"\ndata = [{:?}]\ncontext = 16\n",
            text.display().to_string()
        );
        let job = JobId::next();
        let spec = Box::new(toml::from_str::<TrainSpec>(&spec).unwrap());
        script.send(Command::start(job, model, Work::Train(*spec)));
        let Outcome::Trained(summary) = script.end(job).unwrap() else { panic!("{name}: not trained") };
        let points = script.seen.iter().filter_map(|event| match event {
            Event::Trained { job: of, points } if *of == job => Some(points),
            _ => None,
        });
        let first = points.flatten().next().unwrap().loss;
        let best = summary.best.unwrap().1;
        // Random weights are worse than guessing one of 64 tokens; a few lines are learnt in no time.
        assert!(best < 0.7 * first, "{name}: the loss went from {first} to {best}");
        let path = scratch.path().join(name);
        let saved = JobId::next();
        script.send(Command::start(
            saved,
            model,
            Work::Save(SaveSpec { path: path.clone(), precision: Precision::F32 }),
        ));
        script.end(saved).unwrap();
        let copy = script.open(&path).id;
        let [ours, theirs] = [model, copy].map(|model| script.generate(model, ids([1, 2, 3]), many(20)));
        script.end(ours).unwrap();
        script.end(theirs).unwrap();
        assert_eq!(script.ids_of(ours), script.ids_of(theirs), "{name}");
    }
}

#[test]
fn a_model_can_be_prompted_while_it_trains_and_changes_under_the_prompt() {
    let scratch = tempfile::tempdir().unwrap();
    let text = write_lines(scratch.path());
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("tests/golden/llama")).id;
    let before = script.generate(model, ids([1, 2, 3]), many(8));
    script.end(before).unwrap();
    let spec = format!(
        "learning_rate = 0.01\nbatch_size = 4\nsteps = 1000000\neval_every = 50\nvalidation_share = 0.2\n\
         start = {{ from = \"open_model\" }}\n[task]\nkind = \"text\"\ndata = [{:?}]\ncontext = 16\n",
        text.display().to_string()
    );
    let train = JobId::next();
    script.send(Command::start(train, model, Work::Train(toml::from_str::<TrainSpec>(&spec).unwrap())));
    let point = |event: &Event| match event {
        Event::Trained { job, points } if *job == train => points.last().map(|point| point.step),
        _ => None,
    };
    let seen = script.until("a point", point);
    script.until("a hundred steps", |event| point(event).filter(|step| *step > seen + 100));
    let during = script.generate(model, ids([1, 2, 3]), many(8));
    let (_, new_tokens) = stop_of(script.end(during).unwrap());
    assert!(new_tokens > 0);
    assert_ne!(script.ids_of(before), script.ids_of(during), "the weights in training are the ones prompted");
    let mark = script.until("training to go on", point);
    script.until("more steps", |event| point(event).filter(|step| *step > mark));
    script.send(Command::Cancel { job: train });
    let outcome = script.end(train).unwrap();
    let Outcome::Trained(summary) = outcome else { panic!("{outcome:?}") };
    assert!(summary.stopped_early && summary.steps > 100 && summary.steps < 1_000_000);
    let modified = script.seen.iter().any(|event| matches!(event, Event::Model { info, .. } if info.modified));
    assert!(modified, "the model says that it has unsaved changes");
}

#[test]
fn a_trained_model_says_how_many_steps_changed_it_until_a_folder_holds_them() {
    let scratch = tempfile::tempdir().unwrap();
    let text = write_lines(scratch.path());
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("tests/golden/llama")).id;
    let latest = |script: &Script| {
        let infos = script.seen.iter().rev().filter_map(|event| match event {
            Event::Model { info, .. } if info.id == model => Some((info.modified, info.trained_steps)),
            _ => None,
        });
        infos.into_iter().next().unwrap()
    };
    let train = |script: &mut Script, share: f64| {
        let spec = format!(
            "learning_rate = 0.01\nbatch_size = 4\nsteps = 7\neval_every = 7\nvalidation_share = {share}\n\
             start = {{ from = \"open_model\" }}\n[task]\nkind = \"text\"\ndata = [{:?}]\ncontext = 16\n",
            text.display().to_string()
        );
        let job = JobId::next();
        script.send(Command::start(job, model, Work::Train(toml::from_str::<TrainSpec>(&spec).unwrap())));
        script.end(job).unwrap();
    };
    assert_eq!(latest(&script), (false, 0));
    train(&mut script, 0.2);
    assert_eq!(latest(&script), (true, 7));
    train(&mut script, 0.0);
    assert_eq!(latest(&script), (true, 14), "a second run changes what the first one left");
    let saved = JobId::next();
    let spec = SaveSpec { path: scratch.path().join("saved"), precision: Precision::F32 };
    script.send(Command::start(saved, model, Work::Save(spec)));
    script.end(saved).unwrap();
    assert_eq!(latest(&script), (false, 0));
}

#[test]
fn a_full_queue_loses_nothing_and_closing_it_does_not_hang() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("tests/golden/gpt2")).id;
    // Twenty tokens a job make far more events than the queue holds, and nobody takes them out.
    let mut given = Vec::new();
    let begun = Instant::now();
    loop {
        let job = JobId::next();
        let command = Command::start(
            job,
            model,
            Work::Generate(GenerateSpec { prompt: ids([1, 2]), sampling: many(20), edits: Vec::new() }),
        );
        match script.engine.try_send(command) {
            Ok(()) => given.push(job),
            Err(Command::Start { job: refused, .. }) => {
                assert_eq!(refused, job, "a full queue gives the command back");
                if given.len() > 100 {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(other) => panic!("{other:?}"),
        }
        assert!(begun.elapsed() < PATIENCE, "the queue never filled: {} jobs", given.len());
    }
    let last = *given.last().unwrap();
    script.end(last).unwrap();
    let done = |of: JobId| script.seen.iter().filter(|e| matches!(e, Event::Done { job, .. } if *job == of)).count();
    assert!(given.iter().all(|job| done(*job) <= 1));
    let tokens: usize = given.iter().filter(|job| done(**job) == 1).map(|job| script.ids_of(*job).len()).sum();
    let ended = given.iter().filter(|job| done(**job) == 1).count();
    assert!(ended > 0 && tokens <= ended * 20 && tokens >= ended, "{tokens} tokens of {ended} jobs");
    for _ in 0..40 {
        script.generate(model, ids([1, 2]), many(20));
    }
    let begun = Instant::now();
    drop(script);
    assert!(begun.elapsed() < Duration::from_secs(5), "dropping a busy engine took {:?}", begun.elapsed());
}

#[test]
fn the_newest_drawing_is_always_answered() {
    let scratch = tempfile::tempdir().unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = trained_digits(&mut script, scratch.path(), "0.01").0;
    let jobs: Vec<_> = (0..40)
        .map(|i| {
            let job = JobId::next();
            script.send(Command::start(job, model, Work::Classify(digit_image(i % 10))));
            job
        })
        .collect();
    let outcome = script.end(*jobs.last().unwrap()).unwrap();
    let Outcome::Classified(result) = outcome else { panic!("{outcome:?}") };
    assert_eq!(result.input, digit_image(9));
    assert!((result.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    let answered: Vec<_> = script
        .seen
        .iter()
        .filter_map(|event| match event {
            Event::Done { job, outcome: Outcome::Classified { .. } } => Some(*job),
            _ => None,
        })
        .collect();
    assert!(answered.is_sorted(), "in the order they were drawn: {answered:?}");
    assert!(!script.seen.iter().any(|event| matches!(event, Event::Failed { .. })), "dropped ones say nothing");
}

#[test]
fn a_loss_that_is_no_number_stops_training_and_keeps_a_usable_model() {
    let scratch = tempfile::tempdir().unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    let (model, end) = trained_digits(&mut script, scratch.path(), "1e30");
    let error = end.unwrap_err();
    assert!(error.what.contains("loss became"), "{error}");
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Classify(digit_image(3))));
    let outcome = script.end(job).unwrap();
    let Outcome::Classified(result) = outcome else { panic!("{outcome:?}") };
    assert!(result.probabilities.iter().all(|p| p.is_finite()), "{:?}", result.probabilities);
}

#[test]
fn mistakes_end_their_own_job_with_an_error_that_says_what_to_do() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let info = script.open(&root().join("tests/golden/llama"));
    let mut error_of = |command: &dyn Fn(JobId) -> Command| {
        let job = JobId::next();
        script.send(command(job));
        script.end(job).unwrap_err()
    };
    let generate = |prompt: PromptInput, sampling: Sampling| {
        move |job| {
            Command::start(
                job,
                info.id,
                Work::Generate(GenerateSpec { prompt: prompt.clone(), sampling: sampling.clone(), edits: Vec::new() }),
            )
        }
    };
    let long = error_of(&generate(ids(vec![1; 33]), many(1)));
    assert!(long.what.contains("33 tokens") && long.what.contains("at most 32"), "{long}");
    let unknown = error_of(&generate(ids([64]), many(1)));
    assert!(unknown.what.contains("64"), "{unknown}");
    assert!(error_of(&generate(ids([]), many(1))).what.contains("empty"));
    let hot = error_of(&generate(ids([1]), Sampling { temperature: f32::NAN, ..many(1) }));
    assert!(hot.what.contains("temperature"), "{hot}");
    let sites: SiteFilter = "blocks.9.attn.pattern".parse().unwrap();
    let site = error_of(&|job| {
        Command::start(
            job,
            info.id,
            Work::Inspect(InspectSpec { prompt: ids([1]), sites: sites.clone(), edits: Vec::new() }),
        )
    });
    assert!(site.what.contains("blocks.9.attn.pattern"), "{site}");
    let closed = error_of(&|job| Command::start(job, ModelId::next(), Work::Classify(digit_image(0))));
    assert!(closed.what.contains("not open"), "{closed}");
    let kind = error_of(&|job| Command::start(job, info.id, Work::Classify(digit_image(0))));
    assert!(kind.what.contains("cannot read images"), "{kind}");
    let folder = error_of(&|job| Command::start(job, ModelId::next(), Work::Open("no/such/folder".into())));
    assert!(folder.what.contains("no/such/folder"), "{folder}");
    let job = script.generate(info.id, ids([1]), many(2));
    assert_eq!(stop_of(script.end(job).unwrap()).1, 2, "the engine goes on");
}

#[test]
fn a_full_context_ends_the_generation() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let info = script.open(&root().join("tests/golden/llama"));
    let job = script.generate(info.id, ids(vec![1; 30]), Sampling { temperature: 0.1, ..many(100) });
    let (stop, new_tokens) = stop_of(script.end(job).unwrap());
    assert_eq!((stop, new_tokens), (StopReason::ContextFull, 3), "31, 32, and one that is not read any more");
}

#[test]
fn a_saved_model_opens_again_and_a_folder_that_cannot_be_written_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("tests/golden/llama")).id;
    let before = script.generate(model, ids([1, 2, 3]), many(12));
    script.end(before).unwrap();
    let mut save = |path: &Path| {
        let job = JobId::next();
        script.send(Command::start(
            job,
            model,
            Work::Save(SaveSpec { path: path.to_owned(), precision: Precision::F32 }),
        ));
        script.end(job)
    };
    let taken = scratch.path().join("taken");
    std::fs::write(&taken, "a file, not a folder").unwrap();
    let error = save(&taken).unwrap_err();
    assert!(error.what.contains("taken") && !error.next.is_empty(), "{error}");
    let folder = scratch.path().join("copy");
    assert!(matches!(save(&folder).unwrap(), Outcome::Saved { path } if path == folder));
    // Its own folder is written again; that of another model is left alone.
    save(&folder).unwrap();
    let other = scratch.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("config.json"), "{}").unwrap();
    let error = save(&other).unwrap_err();
    assert!(error.what.contains("other holds another model") && error.next.contains("new folder"), "{error}");
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 1);
    let copy = script.open(&folder);
    assert_eq!(copy.name, "copy");
    let after = script.generate(copy.id, ids([1, 2, 3]), many(12));
    script.end(after).unwrap();
    assert_eq!(script.ids_of(before), script.ids_of(after));
}

#[test]
fn closing_a_model_ends_its_jobs() {
    let scratch = tempfile::tempdir().unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    let info = script.open_slow(scratch.path());
    let job = script.generate(info.id, ids([1]), many(4000));
    script.until("a token", |event| matches!(event, Event::Token { .. }).then_some(()));
    script.send(Command::Close { model: info.id });
    assert_eq!(stop_of(script.end(job).unwrap()).0, StopReason::Cancelled);
    let later = script.generate(info.id, ids([1]), many(1));
    assert!(script.end(later).unwrap_err().what.contains("not open"));
}

#[test]
fn texts_are_tokenized_beside_a_busy_worker_and_what_is_wanted_no_more_is_dropped() {
    let scratch = tempfile::tempdir().unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    let slow = script.open_slow(scratch.path());
    let model = ModelId::next();
    let busy = script.generate(slow.id, ids([1]), many(1500));
    // A full queue gives the command back; the window tries again in the next frame.
    let give = |script: &Script, mut command: Command| {
        while let Err(refused) = script.engine.try_send(command) {
            command = refused;
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let tokenize = |script: &Script, text: String| {
        let job = JobId::next();
        give(script, Command::start(job, model, Work::Tokenize(text.into())));
        job
    };
    let early = tokenize(&script, "asked before the model is open".into());
    let path = root().join("tests/golden/gpt2");
    script.send(Command::start(JobId::next(), model, Work::Open(path)));
    // Every letter ends the question before it, as typing does.
    let mut jobs = Vec::new();
    for count in 1..=60 {
        if let Some(job) = jobs.last() {
            give(&script, Command::Cancel { job: *job });
        }
        jobs.push(tokenize(&script, "a".repeat(count)));
    }
    let last = *jobs.last().unwrap();
    script.end(last).unwrap();
    let count = |of: JobId| {
        let ends: Vec<_> = script
            .seen
            .iter()
            .filter_map(|event| match event {
                Event::Done { job, outcome: Outcome::Tokenized(report) } if *job == of => {
                    Some(Some(report.tokens.len()))
                }
                Event::Done { job, outcome: Outcome::Cancelled } if *job == of => Some(None),
                _ => None,
            })
            .collect();
        assert_eq!(ends.len(), 1, "a job ends once");
        ends[0]
    };
    let counts: Vec<Option<usize>> = [early].into_iter().chain(jobs).map(count).collect();
    assert_eq!(counts[0], Some(30), "it waited for its model");
    assert_eq!(counts[60], Some(60));
    assert!(
        counts.iter().enumerate().skip(1).all(|(place, tokens)| tokens.is_none_or(|tokens| tokens == place)),
        "{counts:?}"
    );
    let written = script.ids_of(busy).len();
    assert!(written < 1500, "the answer did not wait for the generation");
    script.end(busy).unwrap();
}

#[test]
fn without_a_usable_gpu_the_engine_says_why_and_computes_on_the_cpu() {
    let mut script = Script::start(DeviceChoice::Auto);
    let status = script.device();
    assert!(!status.reason.is_empty() && !status.name.is_empty() && status.threads > 0, "{status:?}");
    assert!(!status.is_gpu || !status.adapters.is_empty(), "a GPU has a name: {status:?}");
    let model = script.open(&root().join("tests/golden/llama")).id;
    let job = script.generate(model, ids([1, 2]), many(4));
    assert_eq!(stop_of(script.end(job).unwrap()).1, 4);
}

#[test]
fn models_come_along_to_another_device() {
    let mut script = Script::start(DeviceChoice::Cpu);
    script.device();
    let model = script.open(&root().join("tests/golden/llama")).id;
    let on_cpu = script.generate(model, ids([1, 2, 3]), many(2));
    script.end(on_cpu).unwrap();
    script.send(Command::SetDevice { choice: DeviceChoice::Gpu });
    let status = script.device();
    if !status.is_gpu {
        support::skipped("models_come_along_to_another_device", &status.reason);
        return;
    }
    let on_gpu = script.generate(model, ids([1, 2, 3]), many(2));
    script.end(on_gpu).unwrap();
    assert_eq!(script.ids_of(on_cpu), script.ids_of(on_gpu));
    // Opened there, a model has its kernels built before anybody waits for them.
    script.open(&root().join("tests/golden/llama"));
    let passes = script.seen.iter().filter_map(|event| match event {
        Event::Progress { label, done, total, unit: "passes", .. } if label.contains("kernels") => {
            Some((*done, *total))
        }
        _ => None,
    });
    assert_eq!(passes.collect::<Vec<_>>(), [(0, 3), (1, 3), (2, 3), (3, 3)]);
    script.send(Command::SetDevice { choice: DeviceChoice::Cpu });
    assert!(!script.device().is_gpu);
    let back = script.generate(model, ids([1, 2, 3]), many(2));
    script.end(back).unwrap();
    assert_eq!(script.ids_of(on_cpu), script.ids_of(back));
}

#[test]
fn a_change_of_device_ends_jobs_with_what_they_have() {
    let scratch = tempfile::tempdir().unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    script.device();
    let info = script.open_slow(scratch.path());
    let job = script.generate(info.id, ids([1]), many(4000));
    script.until("a token", |event| matches!(event, Event::Token { .. }).then_some(()));
    script.send(Command::SetDevice { choice: DeviceChoice::Cpu });
    assert_eq!(stop_of(script.end(job).unwrap()).0, StopReason::Cancelled);
    script.device();
    let next = script.generate(info.id, ids([1]), many(2));
    assert_eq!(stop_of(script.end(next).unwrap()).1, 2, "the model came along");
}

#[test]
fn an_engine_with_nothing_to_do_uses_no_time() {
    let Some(before) = cpu_ticks() else {
        support::skipped("an_engine_with_nothing_to_do_uses_no_time", "no /proc/self/stat on this system");
        return;
    };
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("tests/golden/llama")).id;
    let job = script.generate(model, ids([1]), many(4));
    script.end(job).unwrap();
    let busy = cpu_ticks().unwrap();
    assert!(busy >= before);
    let heard = script.listen(Duration::from_millis(500));
    let idle = cpu_ticks().unwrap() - busy;
    assert!(heard.is_empty() && idle <= 2, "{idle} hundredths of a second in half a second of nothing");
}
