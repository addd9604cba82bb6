//! Many models at once over a line that is not good.

use std::{collections::HashMap, fmt::Write as _, sync::Mutex};

use hub_audit::serve::{Fault, Intercept, LoggedRequest};

use crate::support::{Workspace, is_one_of, rows};

/// What fails of a hundred requests.
const FAULTS: u64 = 5;

/// Which fault this request meets: a matter of what is asked, of how often it was asked before, and of nothing else, so that
/// the same faults come whatever the order.
fn fault(request: &LoggedRequest, times: u64) -> Option<Fault> {
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
    let reply = |status, headers: &[(&str, &str)]| Fault::Reply {
        status,
        headers: headers.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect(),
        body: Vec::new(),
    };
    Some(match state / 100 % 5 {
        0 => reply(429, &[("ratelimit", "\"api\";r=0;t=0")]),
        1 => reply(429, &[("ratelimit", "\"api\";r=90;t=200")]),
        2 => reply(503, &[]),
        3 => Fault::CutAfter(40),
        _ => Fault::Drop,
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

/// The tensors of `count` models, brought in once undisturbed and once with faults: the same bytes, hardly more requests.
fn survives(count: usize, command: &[&str]) -> Workspace {
    let (mut at, list) = many(count);
    let fetch = |at: &Workspace, out: &str| {
        let folder = if command[0] == "fetch" { vec![] } else { vec!["-o", out] };
        let args = [command, &["--models", &list, "--jobs", "32"], &folder].concat();
        at.run(&args).expect(0)
    };
    at.serve();
    fetch(&at, "plain");
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
    fetch(&at, "disturbed").says(&[&format!("{} tensors fetched, 0 from cache", 2 * count)]);
    let asked = at.asked().count();
    assert!(values(&at) == kept, "other tensors");
    assert!(asked > requests, "no fault came");
    assert!(asked * 10 <= requests * 13, "{asked} requests instead of {requests}");
    at
}

#[test]
fn twenty_models_on_a_bad_line_give_the_same_numbers() {
    let at = survives(20, &["survey", "--formats", "csv"]);
    let [plain, disturbed] = ["plain", "disturbed"].map(|out| at.read(&format!("{out}/pairs.csv")));
    // Each pair in both layers.
    assert_eq!(rows(&plain).len(), 20 * 19);
    assert_eq!(plain, disturbed);
}

#[test]
#[ignore = "takes long; tests/load/run.sh runs it"]
fn two_hundred_models_on_a_bad_line_give_the_same_tensors() {
    survives(200, &["fetch"]);
}
