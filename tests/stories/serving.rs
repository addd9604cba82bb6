//! Serving: the program plays the Hub for another that reads from it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{PROGRAM, Workspace};

/// A program that is stopped when the story ends, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves the story's folder `hub`; beside the program stands the address on its first line.
fn serve(at: &Workspace) -> (Running, String) {
    let mut command = at.program(Path::new(PROGRAM), &["serve", "hub"]);
    let mut running = Running(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut url = String::new();
    BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut url).unwrap();
    (running, url.trim().to_owned())
}

/// Asks at an address, and reads the answer's head and nothing more.
fn ask(url: &str) -> (String, BufReader<TcpStream>) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(answer.read_line(&mut head).unwrap(), 0, "{head}");
    }
    (head, answer)
}

/// Status and body.
fn get(url: &str) -> (u16, String) {
    let (head, mut answer) = ask(url);
    let mut body = String::new();
    answer.read_to_string(&mut body).unwrap();
    (head[9..12].parse().unwrap(), body)
}

#[test]
fn a_folder_of_checkpoints_is_served_at_the_address_on_the_first_line() {
    let at = Workspace::with_llama(2, 64);
    let (_running, url) = serve(&at);
    let outcome = at.run(&["fetch", "o/a", "--endpoint", &url]).expect(0);
    assert_eq!(outcome.stdout.lines().count(), 2, "{outcome}");
}

#[test]
fn a_folder_without_checkpoints_is_not_served() {
    let at = Workspace::new();
    fs_err::create_dir_all(at.path().join("empty/owner/name")).unwrap();
    at.run(&["serve", "nowhere"]).expect(2).says(&["error: cannot read the folder `nowhere`", "hint: "]);
    fs_err::remove_dir_all(at.path().join("empty/owner")).unwrap();
    at.run(&["serve", "empty"]).expect(2).says(&["error: no model below `empty`", "hint: "]);
    at.run(&["serve"]).expect(2);
}

#[test]
fn the_official_client_finds_an_empty_registry_of_agents() {
    let at = Workspace::with_llama(1, 64);
    let (_running, url) = serve(&at);
    let (status, body) = get(&format!("{url}/api/agent-harnesses"));
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json!({ "standardEnvVars": [], "harnesses": {} }));
}

#[cfg(unix)]
#[test]
fn nothing_outside_the_folder_is_served_and_no_odd_file_disturbs_the_others() {
    use std::os::unix::fs::symlink;
    let at = Workspace::with_llama(2, 64);
    let repo = at.repo("o/a");
    fs_err::write(at.path().join("secret.txt"), "secret").unwrap();
    at.file("o/b", "config.json", "{}");
    at.file("o/a", ".env", "secret");
    for (target, name) in [
        ("../../../secret.txt", "outside.txt"),
        ("../..", "folder"),
        ("nowhere", "dangling"),
        ("loop", "loop"),
        ("../b/config.json", "inside.json"),
    ] {
        symlink(target, repo.join(name)).unwrap();
    }
    assert!(Command::new("mkfifo").arg(repo.join("pipe")).status().unwrap().success());

    let (_running, url) = serve(&at);
    let (status, body) = get(&format!("{url}/api/models/o/a/tree/main?recursive=true"));
    let listed: Vec<Value> = serde_json::from_str(&body).unwrap();
    let paths: Vec<&str> = listed.iter().map(|entry| entry["path"].as_str().unwrap()).collect();
    assert_eq!((status, paths), (200, vec!["config.json", "inside.json", "model.safetensors"]));
    for path in ["outside.txt", "folder/b/config.json", "folder", "dangling", "loop", "pipe", ".env", ".hub.json"] {
        assert_eq!(get(&format!("{url}/o/a/resolve/main/{path}")).0, 404, "{path}");
    }
    at.run(&["fetch", "o/a", "--endpoint", &url]).expect(0);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_within_a_second_whoever_is_still_reading() {
    let at = Workspace::with_llama(1, 64);
    // More than the sockets hold.
    at.file("o/a", "model.safetensors", vec![0; 1 << 26]);
    let (mut running, url) = serve(&at);
    let (redirect, _) = ask(&format!("{url}/o/a/resolve/main/model.safetensors"));
    let location = redirect.lines().find_map(|line| line.strip_prefix("location: ")).unwrap();
    let (head, _unread) = ask(location);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let _idle = TcpStream::connect(url.trim_start_matches("http://")).unwrap();

    let told = Instant::now();
    let kill = Command::new("kill").args(["-INT", &running.0.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let status = running.0.wait().unwrap();
    let took = told.elapsed();
    // Where many programs run, starting and ending one takes its time too.
    let idle = Instant::now();
    at.run(&["--version"]).expect(0);
    assert_eq!(status.code(), Some(0));
    let allowed = Duration::from_secs(1) + 2 * idle.elapsed();
    assert!(took < allowed, "{took:?} is more than {allowed:?}");
}
