//! Answers to a range that are not what was asked: each is found out, and no byte of it is kept.

use hub_audit::{
    range::ByteRange,
    serve::{Fault, Intercept, Listener, LoggedRequest},
};

use crate::support::{Outcome, Shard, Workspace, first};

/// An answer of the file host, true in all until a story changes it.
#[derive(Debug, Clone)]
struct Forged {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Forged {
    fn new(shard: &Shard, range: ByteRange) -> Self {
        let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap());
        Self {
            status: 206,
            headers: vec![
                ("content-range", format!("bytes {}-{}/{}", range.start, range.end - 1, shard.bytes.len())),
                ("content-length", range.len().to_string()),
                ("etag", "\"true\"".to_owned()),
            ],
            body: shard.bytes[start..end].to_vec(),
        }
    }

    fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.unset(name);
        self.headers.push((name, value.into()));
    }

    fn unset(&mut self, name: &str) {
        self.headers.retain(|(known, _)| *known != name);
    }

    fn fault(self) -> Fault {
        Fault::Reply {
            status: self.status,
            headers: self.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            body: self.body,
        }
    }
}

/// The range of a request for weights: one that does not begin the file.
fn weights(request: &LoggedRequest) -> Option<ByteRange> {
    let (first, last) = request.range.as_deref()?.strip_prefix("bytes=")?.split_once('-')?;
    let range = ByteRange::new(first.parse().ok()?, last.parse::<u64>().ok()? + 1);
    (request.listener == Listener::Cdn && range.start > 0).then_some(range)
}

/// A Hub with a llama of one layer, whose file host answers every range of weights with what `forge` makes of the truth.
fn forging(forge: impl Fn(&mut Forged, ByteRange) + Send + Sync + 'static) -> (Workspace, Shard) {
    let mut at = Workspace::new();
    let shard = at.llama("o/a", 1, 1, 64);
    let truth = at.repo("o/a").join("model.safetensors");
    at.serve_with(|options| {
        options.intercept = Some(Intercept::new(move |request| {
            let range = weights(request)?;
            let shard = Shard { bytes: fs_err::read(&truth).unwrap(), ranges: std::collections::BTreeMap::new() };
            let mut forged = Forged::new(&shard, range);
            forge(&mut forged, range);
            Some(forged.fault())
        }));
    });
    (at, shard)
}

/// What is said when the one tensor is answered so: it is not fetched, nothing is kept, and nobody asks twice.
#[track_caller]
fn refused(forge: impl Fn(&mut Forged, ByteRange) + Send + Sync + 'static) -> Outcome {
    let (at, _) = forging(forge);
    let outcome = at.run(&["fetch", "o/a"]).expect(1);
    outcome.says(&["tensor `model.layers.0.input_layernorm.weight` was not fetched"]);
    assert_eq!(outcome.stdout, "");
    assert_eq!(at.kept_tensors(), 0);
    let asked = at.asked();
    assert_eq!(asked.0.iter().filter(|request| weights(request).is_some()).count(), 1);
    let survey = at.run(&["survey", "o/a"]);
    assert_eq!(survey.status, 1, "{survey}");
    outcome
}

#[test]
fn the_truth_told_by_hand_is_taken() {
    let (at, _) = forging(|_, _| {});
    at.run(&["fetch", "o/a"]).expect(0);
    assert_eq!(at.kept_tensors(), 1);
}

#[test]
fn fewer_bytes_than_were_promised_by_the_range_are_refused() {
    refused(|forged, _| {
        forged.body.truncate(100);
        forged.set("content-length", "100");
    })
    .says(&["sent 100 bytes for the range", "which has 128"]);
    // The same without a stated length.
    refused(|forged, _| {
        forged.body.truncate(100);
        forged.unset("content-length");
    })
    .says(&["sent 100 bytes for the range", "which has 128"]);
}

#[test]
fn more_bytes_than_were_asked_are_refused() {
    refused(|forged, _| {
        forged.body.push(0);
        forged.set("content-length", "129");
    })
    .says(&["sent 129 bytes for the range", "which has 128"]);
    refused(|forged, _| {
        forged.body.extend([0; 1000]);
        forged.unset("content-length");
    })
    .says(&["sent 129 bytes for the range", "which has 128"]);
}

#[test]
fn a_range_beside_the_one_that_was_asked_is_refused() {
    refused(|forged, range| {
        forged.set("content-range", format!("bytes {}-{}/81000", range.start + 1, range.end));
    })
    .says(&["with the wrong bytes: `Content-Range: bytes "]);
}

#[test]
fn another_size_of_the_file_is_refused() {
    refused(|forged, range| {
        forged.set("content-range", format!("bytes {}-{}/999999", range.start, range.end - 1));
    })
    .says(&["with the wrong bytes: `Content-Range: bytes ", "/999999`"]);
}

#[test]
fn a_file_of_unstated_size_is_refused() {
    refused(|forged, range| {
        forged.set("content-range", format!("bytes {}-{}/*", range.start, range.end - 1));
    })
    .says(&["with the wrong bytes: `Content-Range: bytes ", "/*`"]);
}

#[test]
fn a_part_that_does_not_say_which_is_refused() {
    refused(|forged, _| forged.unset("content-range")).says(&["with the wrong bytes: 206 without a Content-Range"]);
    refused(|forged, _| forged.set("content-range", "lines 1-2/3"))
        .says(&["with the wrong bytes: `Content-Range: lines 1-2/3`"]);
}

#[test]
fn a_compressed_part_is_refused() {
    refused(|forged, _| forged.set("content-encoding", "gzip"))
        .says(&["with the wrong bytes: a body encoded as `gzip`"]);
    // Not even a name that is no ASCII is taken for none.
    refused(|forged, _| forged.set("content-encoding", "gzïp")).says(&["with the wrong bytes: a body encoded as `gz"]);
}

#[test]
fn parts_in_an_envelope_are_refused() {
    refused(|forged, _| {
        forged.unset("content-range");
        forged.set("content-type", "multipart/byteranges; boundary=x");
    })
    .says(&["with the wrong bytes: 206 without a Content-Range"]);
}

#[test]
fn a_200_that_states_the_very_range_is_taken() {
    let (at, shard) = forging(|forged, _| forged.status = 200);
    at.run(&["fetch", "o/a"]).expect(0);
    let norm = shard.ranges["model.layers.0.input_layernorm.weight"];
    assert_eq!(at.asked().ranges("model.safetensors").len(), 2);
    let npy = Workspace::files(&at.kept("o/a"))
        .into_iter()
        .find(|(name, _)| std::path::Path::new(name).extension().is_some_and(|extension| extension == "npy"));
    // BF16 is widened to F32: the upper half of each value is what was sent.
    let (_, npy) = npy.unwrap();
    let data = &npy[npy.len() - 2 * usize::try_from(norm.len()).unwrap()..];
    let upper: Vec<u8> = data.chunks(4).flat_map(|value| [value[2], value[3]]).collect();
    let [start, end] = [norm.start, norm.end].map(|at| usize::try_from(at).unwrap());
    assert_eq!(upper, shard.bytes[start..end]);
}

#[test]
fn a_200_that_states_another_range_is_refused() {
    refused(|forged, _| {
        forged.status = 200;
        forged.set("content-range", "bytes 0-127/81000");
    })
    .says(&["with the wrong bytes: `Content-Range: bytes 0-127/81000`"]);
}

#[test]
fn a_range_that_the_host_calls_beyond_the_file_is_an_error() {
    refused(|forged, _| {
        forged.status = 416;
        forged.body.clear();
        forged.unset("content-length");
        forged.set("content-range", "bytes */100");
    })
    .says(&["answered 416 for `o/a@c0ffee00`, file `model.safetensors`"]);
}

#[test]
fn the_rest_of_a_cut_body_must_begin_where_it_was_cut() {
    let mut at = Workspace::new();
    let shard = at.llama("o/a", 1, 1, 64);
    let norm = shard.ranges["model.layers.0.input_layernorm.weight"];
    let whole = shard.asked("model.layers.0.input_layernorm.weight");
    let mut again = Forged::new(&shard, norm);
    again.unset("etag");
    let again = again.fault();
    at.serve_with(|options| {
        options.intercept = Some(Intercept::new(move |request| {
            weights(request)?;
            let is_first = request.range.as_deref() == Some(&whole);
            Some(if is_first { Fault::CutAfter(50) } else { again.clone() })
        }));
    });
    let outcome = at.run(&["fetch", "o/a"]).expect(1);
    outcome.says(&["with the wrong bytes: `Content-Range: bytes "]);
    assert_eq!(at.kept_tensors(), 0);
}

#[test]
fn a_connection_reset_behind_the_headers_is_made_anew() {
    let mut at = Workspace::with_llama(1, 64);
    at.serve_with(|options| {
        options.intercept = Some(first(1, |request| weights(request).is_some(), Fault::CutAfter(0)));
    });
    at.run(&["fetch", "o/a"]).expect(0);
    let asked = at.asked();
    assert_eq!(asked.0.iter().filter(|request| weights(request).is_some()).count(), 2);
    assert_eq!(at.kept_tensors(), 1);
}

#[test]
fn a_server_that_sends_whole_files_is_held_to_the_limit_on_bytes() {
    let mut at = Workspace::new();
    let shard = at.llama("o/a", 1, 2, 64);
    let whole = Fault::Reply {
        status: 200,
        headers: vec![("content-length".to_owned(), shard.bytes.len().to_string())],
        body: shard.bytes.clone(),
    };
    let intercept = first(usize::MAX, |request| weights(request).is_some(), whole);
    at.serve_with(|options| options.intercept = Some(intercept));
    let outcome = at.run(&["fetch", "o/a", "--max-bytes", "20kB"]).expect(1);
    outcome.says(&[
        "is not read further: more than the 20000 bytes of weights that are allowed would arrive",
        "hint: the server sent more than it was asked for; allow it with a larger --max-bytes",
    ]);
    assert_eq!(at.kept_tensors(), 0);
    at.run(&["fetch", "o/a", "--max-bytes", "1MB"]).expect(0);
    assert_eq!(at.kept_tensors(), 2);
}
