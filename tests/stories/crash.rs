//! Runs that end before their time: killed at any moment, or told to stop.

use std::{
    io::Write,
    path::Path,
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use hub_audit::serve::{Fault, Intercept, Listener, LoggedRequest};

use crate::{
    lineage::Planted,
    support::{PROGRAM, Workspace, is_one_of},
};

const LAYERS: usize = 8;

/// Longer than anything here takes; reached only where something hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often the program is killed in `cargo test`; `tests/crash/run.sh` asks for more.
fn kills() -> usize {
    std::env::var("HUB_AUDIT_KILLS").map_or(30, |text| text.parse().unwrap())
}

/// When the Hub gives the signal, and whether it answers from then on.
#[derive(Default)]
struct Moment {
    asked: AtomicUsize,
    /// The signal comes with this request; 0 is never.
    at: AtomicUsize,
    falls_silent: AtomicUsize,
    bell: Mutex<Option<mpsc::Sender<()>>>,
}

impl Moment {
    /// Sets the next moment, and gives what rings then.
    fn set(&self, at: usize, falls_silent: bool) -> mpsc::Receiver<()> {
        let (bell, rings) = mpsc::channel();
        self.asked.store(0, Ordering::SeqCst);
        self.falls_silent.store(usize::from(falls_silent), Ordering::SeqCst);
        *self.bell.lock().unwrap() = Some(bell);
        self.at.store(at, Ordering::SeqCst);
        rings
    }

    fn never(&self) {
        self.at.store(0, Ordering::SeqCst);
    }

    fn look(&self) -> Option<Fault> {
        let at = self.at.load(Ordering::SeqCst);
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        if at == 0 || number < at {
            return None;
        }
        if number == at
            && let Some(bell) = self.bell.lock().unwrap().take()
        {
            // Whoever listened may have gone.
            let _ = bell.send(());
        }
        (self.falls_silent.load(Ordering::SeqCst) == 1).then_some(Fault::Wait(Duration::MAX))
    }
}

/// A Hub with a llama of eight layers that gives a signal when it is told to.
fn alert() -> (Workspace, Arc<Moment>) {
    let mut at = Workspace::with_llama(LAYERS, 64);
    let moment = Arc::new(Moment::default());
    let hook = Arc::clone(&moment);
    at.serve_with(|options| options.intercept = Some(Intercept::new(move |_| hook.look())));
    (at, moment)
}

fn start(at: &Workspace, args: &[&str]) -> Child {
    at.program(Path::new(PROGRAM), args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The values in the cache, by file.
fn values(at: &Workspace) -> Vec<(String, Vec<u8>)> {
    let mut files = Workspace::files(&at.kept("o/a"));
    files.retain(|(name, _)| is_one_of(name, &["npy"]));
    files
}

/// Entries that a killed run left whole: values and what is known of them.
fn survived(at: &Workspace, whole: &[(String, Vec<u8>)]) -> usize {
    let files = Workspace::files(&at.kept("o/a"));
    let has = |wanted: &str| files.iter().any(|(name, _)| name == wanted);
    values(at)
        .iter()
        .filter(|(name, bytes)| {
            assert!(whole.iter().any(|(known, right)| known == name && right == bytes), "{name} is no whole file");
            has(&name.replace(".npy", ".json"))
        })
        .count()
}

fn interrupt(child: &Child) {
    let kill =
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).stderr(Stdio::null()).status();
    assert!(kill.is_ok());
}

#[test]
fn whenever_it_is_killed_the_next_run_gives_the_same_files_and_pays_for_the_rest_alone() {
    let (at, moment) = alert();
    at.run(&["fetch", "o/a"]).expect(0);
    let whole = values(&at);
    let requests = at.asked().count();
    assert_eq!((whole.len(), requests), (LAYERS, 5 + LAYERS));
    for round in 0..kills() {
        fs_err::remove_dir_all(at.cache()).unwrap();
        let rings = moment.set(1 + round % requests, round / requests % 2 == 0);
        let jobs = ["1", "3", "32"][round % 3];
        let mut child = start(&at, &["fetch", "o/a", "--jobs", jobs]);
        rings.recv_timeout(PATIENCE).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        moment.never();

        let kept = survived(&at, &whole);
        let record = fs_err::read_to_string(at.kept("o/a").join("headers.json")).unwrap_or_default();
        let missing = LAYERS - kept;
        let next = at.run(&["fetch", "o/a"]).expect(0);
        assert_eq!(values(&at), whole, "round {round}");
        // The branch with its listing; configuration (a redirect), the shard's address and its header, unless they are known; the
        // address again where they are and weights miss; and these.
        let expected = 1 + missing + if record.is_empty() { 4 } else { usize::from(missing > 0) };
        let noun = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        next.says(&[&format!(
            " in {}, {} fetched, {kept} from cache",
            noun(expected, "request"),
            noun(missing, "tensor")
        )]);
        at.run(&["cache", "verify"]).expect(0).says(&[&format!("{LAYERS} tensors checked, 0 broken")]);
    }
}

#[test]
fn what_a_killed_run_left_behind_is_cleared_away() {
    let (at, moment) = alert();
    let rings = moment.set(10, true);
    let mut child = start(&at, &["fetch", "o/a", "--jobs", "1"]);
    rings.recv_timeout(PATIENCE).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    moment.never();
    // As a kill between writing and renaming leaves it.
    fs_err::write(at.kept("o/a").join(".tmp-left"), "half").unwrap();
    at.run(&["fetch", "o/a"]).expect(0);
    at.run(&["cache", "prune"]).expect(0);
    let files = Workspace::files(&at.cache());
    assert!(!files.iter().any(|(name, _)| name.contains(".tmp")), "{files:?}");
    assert_eq!(at.kept_tensors(), LAYERS);
}

#[test]
fn ctrl_c_stops_within_a_second_and_the_same_command_goes_on() {
    let (at, moment) = alert();
    // Five requests tell where the weights are; the third tensor never comes.
    let rings = moment.set(5 + 3, true);
    let child = start(&at, &["survey", "o/a", "-o", "out", "--jobs", "1"]);
    rings.recv_timeout(PATIENCE).unwrap();
    let told = Instant::now();
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let took = told.elapsed();
    // Where many programs run, starting and ending one takes its time too.
    let idle = Instant::now();
    at.run(&["--version"]).expect(0);
    let allowed = Duration::from_secs(1) + 2 * idle.elapsed();
    assert!(took < allowed, "{took:?} is more than {allowed:?}");
    let outcome = at.outcome(&output);
    insta::assert_snapshot!(outcome, @"
    exit status 130
    ----- stderr -----
    warning: only one model given, so nothing to compare; `hub-audit layers` compares its layers
    error: interrupted; the tensors that have arrived are kept in the cache, run the same command to resume
    ");
    assert!(!at.path().join("out").exists());
    moment.never();
    assert_eq!(at.kept_tensors(), 2);
    at.asked();
    at.run(&["survey", "o/a", "-o", "out"]).expect(0).says(&["6 tensors fetched, 2 from cache"]);
    // The branch, the shard's address, and what was missing.
    assert_eq!(at.asked().count(), 1 + 1 + 6);
}

/// A linked pair is answered after a second round of reading: one that is broken off is no answer.
#[test]
fn ctrl_c_in_a_later_round_is_no_answer() {
    let mut at = Workspace::new();
    Planted::of(1).write(&at, "o/a");
    Planted::relative(1, 2, 0.9).write(&at, "o/b");
    let moment = Arc::new(Moment::default());
    let hook = Arc::clone(&moment);
    at.serve_with(|options| options.intercept = Some(Intercept::new(move |_| hook.look())));
    at.run(&["lineage", "o/a", "o/b", "--no-deep", "--cache-dir", "first"]).expect(0);
    let first_round = at.asked().count();
    let rings = moment.set(first_round + 1, true);
    let child = start(&at, &["lineage", "o/a", "o/b", "-o", "out"]);
    rings.recv_timeout(PATIENCE).unwrap();
    interrupt(&child);
    let outcome = at.outcome(&child.wait_with_output().unwrap()).expect(130);
    assert_eq!(outcome.stdout, "", "{outcome}");
    assert_eq!(outcome.stderr.matches("error: interrupted; the tensors").count(), 1, "{outcome}");
    assert!(!at.path().join("out").exists());
}

/// Once a program has listened for Ctrl-C the system no longer ends it: it must do so itself, also when it only computes or,
/// as here, waits for whoever reads its output.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_stops_it_when_the_network_is_no_longer_needed_too() {
    let (at, _) = alert();
    at.run(&["fetch", "o/a"]).expect(0);
    // A pipe that is full, and that nobody reads.
    let (reader, mut writer) = std::io::pipe().unwrap();
    let full = writer.try_clone().unwrap();
    let filler = std::thread::spawn(move || {
        // Ends when the pipe is closed.
        let _ = writer.write_all(&vec![b'x'; 1 << 20]);
    });
    let mut child = at
        .program(Path::new(PROGRAM), &["fetch", "o/a", "--offline"])
        .stdin(Stdio::null())
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let is_past_network = || {
        let threads = fs_err::read_dir(format!("/proc/{}/task", child.id())).unwrap();
        threads
            .filter_map(|thread| fs_err::read_to_string(thread.ok()?.path().join("comm")).ok())
            .any(|name| name.trim() == "ctrl-c")
    };
    while !is_past_network() {
        assert!(started.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    // The thread is there before it listens.
    while child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < PATIENCE);
        interrupt(&child);
    }
    let output = child.wait_with_output().unwrap();
    at.outcome(&output).expect(130).says(&["error: interrupted; the tensors are kept in the cache"]);
    drop(reader);
    filler.join().unwrap();
}

/// Of two programs that fill one cache each tensor is whole, whoever wrote it; one of them is killed.
#[test]
fn a_program_beside_one_that_is_killed_is_not_disturbed() {
    let mut at = Workspace::with_llama(LAYERS, 64);
    let (bell, rings) = mpsc::channel();
    let bell = Mutex::new(Some(bell));
    let weights = AtomicUsize::new(0);
    at.serve_with(|options| {
        options.intercept = Some(Intercept::new(move |request: &LoggedRequest| {
            let is_cdn = request.listener == Listener::Cdn;
            if is_cdn
                && weights.fetch_add(1, Ordering::SeqCst) == 6
                && let Some(bell) = bell.lock().unwrap().take()
            {
                let _ = bell.send(());
            }
            None
        }));
    });
    let mut killed = start(&at, &["fetch", "o/a", "--jobs", "2"]);
    let other = start(&at, &["fetch", "o/a", "--jobs", "2"]);
    rings.recv_timeout(PATIENCE).unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    let outcome = at.outcome(&other.wait_with_output().unwrap()).expect(0);
    assert_eq!(outcome.stdout.lines().count(), LAYERS);
    at.run(&["cache", "verify"]).expect(0).says(&[&format!("{LAYERS} tensors checked, 0 broken")]);
}
