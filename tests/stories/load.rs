//! Many models at once over a line that is not good.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    sync::Mutex,
    time::{Duration, Instant},
};

use hub_audit::serve::{Intercept, LoggedRequest, Stunt};

use crate::support::{Workspace, is_one_of, rows};

/// What fails of a hundred requests.
const FAULTS: u64 = 5;

/// Which fault this request meets: a matter of what is asked, of how often it was asked before, and of nothing else, so that
/// the same faults come whatever the order.
fn fault(request: &LoggedRequest, times: u64) -> Option<Stunt> {
    let mut state = 0xcbf2_9ce4_8422_2325_u64 ^ times.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let asked = format!("{:?} {} {:?}", request.listener, request.path, request.range);
    for byte in asked.bytes() {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // The low bits of such a hash are poor.
    state ^= state >> 32;
    if state % 100 >= FAULTS {
        return None;
    }
    let reply = |status, headers: &[(&str, &str)]| Stunt::Reply {
        status,
        headers: headers.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect(),
        body: Vec::new(),
    };
    Some(match state / 100 % 5 {
        0 => reply(429, &[("ratelimit", "\"api\";r=0;t=0")]),
        1 => reply(429, &[("ratelimit", "\"api\";r=90;t=200")]),
        2 => reply(503, &[]),
        3 => Stunt::CutAfter(40),
        _ => Stunt::Drop,
    })
}

/// `count` llamas, and a list of them.
fn many(count: usize) -> (Workspace, String) {
    let at = Workspace::new();
    let mut list = String::new();
    for number in 0..count {
        let id = format!("o/m{number:03}");
        at.llama(&id, number as u64 + 1, 2, 64);
        writeln!(list, "{id}").unwrap();
    }
    fs_err::write(at.path().join("models.txt"), list).unwrap();
    (at, "models.txt".to_owned())
}

fn values(at: &Workspace) -> Vec<(String, Vec<u8>)> {
    let mut files = Workspace::files(&at.cache());
    files.retain(|(name, _)| is_one_of(name, &["npy"]));
    files
}

/// A survey of `count` models, once undisturbed and once with faults: the same tensors, the same numbers, hardly more requests.
fn survives(count: usize) {
    let (mut at, list) = many(count);
    let args = ["survey", "--models", &list, "--jobs", "32", "--formats", "csv", "-o"];
    let survey = |at: &Workspace, out: &str| {
        let started = Instant::now();
        at.run(&[&args[..], &[out]].concat()).expect(0);
        started.elapsed()
    };
    at.serve();
    let plain = survey(&at, "plain");
    let (kept, requests) = (values(&at), at.asked().count());
    assert_eq!(kept.len(), 2 * count);
    at.close();
    fs_err::remove_dir_all(at.cache()).unwrap();

    let times: Mutex<HashMap<String, u64>> = Mutex::default();
    at.serve_with(|options| {
        options.intercept = Some(Intercept::new(move |request| {
            let key = format!("{:?} {} {:?}", request.listener, request.path, request.range);
            let mut times = times.lock().unwrap();
            let times = times.entry(key).or_default();
            *times += 1;
            fault(request, *times)
        }));
    });
    let disturbed = survey(&at, "disturbed");
    let asked = at.asked();
    assert!(values(&at) == kept, "other tensors");
    let [plain_pairs, disturbed_pairs]: [Vec<BTreeMap<String, String>>; 2] =
        ["plain", "disturbed"].map(|out| rows(&at.read(&format!("{out}/pairs.csv"))));
    assert!(plain_pairs == disturbed_pairs, "other numbers");
    // Each pair in both layers.
    assert_eq!(plain_pairs.len(), count * (count - 1));
    let ratio = asked.count() as f64 / requests as f64;
    assert!(asked.count() > requests, "no fault came");
    assert!(ratio <= 1.3, "{} requests instead of {requests}", asked.count());
    let limit = Duration::from_secs(30);
    assert!(plain + disturbed < 2 * limit, "{plain:?} and {disturbed:?}");
}

#[test]
fn twenty_models_on_a_bad_line_give_the_same_numbers() {
    survives(20);
}

/// Half a minute without optimisation: `tests/load/run.sh` runs it.
#[test]
#[ignore = "takes long; tests/load/run.sh runs it"]
fn two_hundred_models_on_a_bad_line_give_the_same_numbers() {
    survives(200);
}
