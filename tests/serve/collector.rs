//! A collector on the other side: what it takes and refuses, what it cosigns, and how a cut, a fork and silence are found.

use super::world::Certs;
use super::{curl, header, runs, story, with_runs};
use crate::support::run::{Output, PATIENCE, Started, comes_true};
use crate::support::segment::blocks;
use crate::support::{Home, for_each_user, skip};
use aisandbox::audit::log::{Log, Submission, read_device};
use aisandbox::base::RunId;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A device and a collector for it.
pub(super) struct World<'h> {
    home: &'h Home,
    certs: Certs,
    identity: String,
    pub(super) store: PathBuf,
    at: String,
    collector: Started,
}

impl<'h> World<'h> {
    pub(super) fn new(home: &'h Home) -> Self {
        let store = home.join("store");
        Self::with_store(home, store)
    }

    fn with_store(home: &'h Home, store: PathBuf) -> Self {
        let certs = Certs::make(home, "certs", &["laptop.example", "other.example"]);
        let device =
            fs::read_dir(home.join(".local/state/aisandbox/device")).unwrap().next().unwrap().unwrap().path();
        let identity = read_device(&device).unwrap().identity.unwrap().to_string();
        home.write("devices", &format!("{identity} laptop.example\n{} other.example\n", "ab".repeat(32)));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = format!("127.0.0.1:{port}");
        let collector = start(home, &certs, &store, &at);
        Self { home, certs, identity, store, at, collector }
    }

    /// Kills the collector and starts it again.
    fn kill_and_start(&mut self) {
        self.collector.signal(libc::SIGKILL);
        self.collector.finish();
        self.collector = start(self.home, &self.certs, &self.store, &self.at);
    }

    /// `audit mirror --once`.
    pub(super) fn mirror(&self, more: &[&str]) -> Output {
        let [ca, cert, key] =
            ["ca.pem", "laptop.example.pem", "laptop.example.key"].map(|file| self.certs.path(file));
        let to = format!("https://{}", self.at);
        let words = ["audit", "mirror", "--once", "--to", &to, "--ca", &ca, "--cert", &cert, "--key", &key];
        self.home.aisandbox(&words).args(more).output()
    }

    pub(super) fn status(&self, more: &[&str]) -> Output {
        self.home
            .aisandbox(&["collector", "status", "--store", self.store.to_str().unwrap()])
            .args(more)
            .output()
    }

    fn status_json(&self) -> Value {
        serde_json::from_str(&self.status(&["--json"]).stdout()).unwrap()
    }

    /// What curl gets as this client.
    fn ask(&self, client: &str, path: &str, more: &[&str]) -> (u16, String, String) {
        let words = self.certs.client(client);
        let words: Vec<&str> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
        curl(self.home, &words, &format!("https://{}{path}", self.at))
    }

    pub(super) fn mirrored(&self, run: &str) -> PathBuf {
        self.store.join("devices").join(&self.identity).join("runs").join(run)
    }
}

fn start(home: &Home, certs: &Certs, store: &Path, at: &str) -> Started {
    let [cert, key, ca] = ["server.pem", "server.key", "ca.pem"].map(|file| certs.path(file));
    let devices = home.join("devices");
    let words = ["collector", "--store", store.to_str().unwrap(), "--listen", at, "--name", "w.example/1"];
    let more = ["--cert", &cert, "--key", &key, "--client-ca", &ca, "--devices", devices.to_str().unwrap()];
    let started = home.aisandbox(&words).args(&more).start();
    let address: std::net::SocketAddr = at.parse().unwrap();
    assert!(comes_true(PATIENCE, || std::net::TcpStream::connect(address).is_ok()), "it should listen");
    started
}

/// A run that goes on: its log, whose lock is gone with it when it is dropped.
fn open_run(home: &Home, events: usize) -> (RunId, Log) {
    super::take(home);
    let run = aisandbox::audit::new_run_id().unwrap();
    let mut log = Log::create(&runs(home), run).unwrap();
    log.append(&story::start(&["x"])).unwrap();
    (1..events).for_each(|number| log.append(&story::denial(&format!("d{number}"), "/x", 1)).unwrap());
    // The stable key signs a head no sooner than a second after the last.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    log.append(&story::denial("last", "/x", 1)).unwrap();
    super::give_back(home);
    (run, log)
}

#[test]
fn what_was_sent_is_checked_kept_and_cosigned_and_verify_shows_the_witness() {
    for_each_user(|home| {
        let run =
            with_runs(&home, &[(&story::whole(), true), (&[story::start(&["y"])], true)])[0].to_string();
        let mut world = World::new(&home);
        let told = world.mirror(&[]).expect_code(0);
        assert!(told.starts_with("2 runs, ") && told.ends_with("2 heads cosigned\n"), "{told}");
        let copy = world.mirrored(&run);
        for (verified, known) in [(copy.to_str().unwrap(), true), (&*run, true)] {
            let output = home.aisandbox(&["audit", "verify", verified]).output();
            let text = output.expect_code(0);
            assert_eq!(text.contains("whose own log here has the run"), known, "{text}");
            assert!(text.contains("leaves as w.example/1, whose key is in no list"), "{text}");
        }
        let status = world.status_json();
        let witness = status["witness"].as_str().unwrap();
        home.write(".config/aisandbox/witnesses", &format!("# ours\n{witness}\n"));
        let text = home.aisandbox(&["audit", "verify", &run]).output().expect_code(0);
        let line = text.lines().find(|line| line.contains("witness w.example/1, 20")).unwrap();
        assert!(line.ends_with(" leaves"), "{line}");
        let json: Value =
            serde_json::from_str(&home.aisandbox(&["audit", "verify", &run, "--json"]).output().stdout())
                .unwrap();
        assert_eq!(
            (&json["witnesses"][0][0], &json["witnesses"][0][1]),
            (&"w.example/1".into(), &json["leaves"])
        );

        let device = &status["devices"][0];
        assert_eq!(
            (&device["identity"], device["runs"].as_array().unwrap().len()),
            (&world.identity.as_str().into(), 2)
        );
        assert_eq!(
            (&device["state"], &device["missing"], &status["findings"]),
            (&"open".into(), &0.into(), &serde_json::json!([]))
        );
        world.status(&[]).expect_code(0);
        // Again: nothing new but the entry that it was read.
        let again = world.mirror(&["--witness", witness]).expect_code(0);
        assert!(again.contains("2 heads cosigned"), "{again}");
        // The word of a witness that was not named does not count.
        let other = witness.replace("w.example/1+", "w.example/2+");
        world.mirror(&["--witness", &other]).expect_code(125);
        world.kill_and_start();
        assert_eq!(world.status_json()["witness"], witness, "its key is the same");
        world.mirror(&["--witness", witness]).expect_code(0);
        let reads = super::readings(&home);
        assert!(reads.iter().any(|read| read["by"] == "mirror" && read["runs"][0] == run), "{reads:?}");
    });
}

#[test]
fn a_tail_that_was_cut_off_clean_is_found_by_the_witness_on_both_sides() {
    for_each_user(|home| {
        with_runs(&home, &[]);
        let (run, log) = open_run(&home, 8);
        let world = World::new(&home);
        world.mirror(&[]).expect_code(0);
        drop(log);
        let segment = runs(&home).join(run.to_string()).join("00000000.seg");
        let bytes = fs::read(&segment).unwrap();
        // At the end of a block: by itself the log is whole.
        let places = blocks(&bytes);
        fs::write(&segment, &bytes[..places[places.len() - 4]]).unwrap();
        let name = run.to_string();
        let text = home.aisandbox(&["audit", "verify", &name]).output().expect_code(2);
        assert!(text.contains("TRUNCATED") && text.contains("was cosigned"), "{text}");
        // Who cuts can remove what lies beside the log; the collector has it still.
        let kept = home.join(".local/state/aisandbox/witness").join(&name);
        fs::remove_file(&kept).unwrap();
        home.aisandbox(&["audit", "verify", &name]).output().expect_code(3);
        let path = format!("/v1/checkpoint/{}/{name}", world.identity);
        let (status, _, head) = world.ask("laptop.example", &path, &[]);
        assert_eq!(status, 200);
        let file = home.write("head", &head);
        let text = home
            .aisandbox(&["audit", "verify", &name, "--cosigned", file.to_str().unwrap()])
            .output()
            .expect_code(2);
        assert!(text.contains("TRUNCATED"), "{text}");
        let sent = world.mirror(&[]);
        sent.expect_code(2);
        sent.expect_said("TRUNCATED");
        let status = world.status_json();
        assert_eq!(status["findings"][0]["kind"], "older", "{status}");
        assert!(status["findings"][0]["cosigned"].as_str().unwrap().contains(&name));
        world.status(&[]).expect_code(2);
        assert!(
            fs::read(world.mirrored(&name).join("00000000.seg")).unwrap() == bytes,
            "what was sent stays"
        );
    });
}

#[test]
fn an_upload_that_broke_off_is_gone_on_with_after_the_collector_was_killed() {
    for_each_user(|home| {
        let many: Vec<_> = (0..300).map(|number| story::denial("d", &format!("/{number}"), 1)).collect();
        let run = with_runs(&home, &[(&many, true)])[0].to_string();
        let mut world = World::new(&home);
        let bytes = fs::read(runs(&home).join(&run).join("00000000.seg")).unwrap();
        for part in [1_000, bytes.len() / 2] {
            let at = fs::metadata(world.mirrored(&run).join("00000000.seg")).map_or(0, |facts| facts.len());
            let from = usize::try_from(at).unwrap();
            let file = home.join("part");
            fs::write(&file, &bytes[from..from + part.min(bytes.len() - from - 10)]).unwrap();
            let path = format!("/v1/logs/{}/{run}/0?at={at}", world.identity);
            let data = format!("@{}", file.display());
            let (status, _, body) =
                world.ask("laptop.example", &path, &["-X", "PUT", "--data-binary", &data]);
            assert_eq!(status, 200, "{body}");
            let (status, head, body) =
                world.ask("laptop.example", &path, &["-X", "PUT", "--data-binary", &data]);
            assert_eq!((status, header(&head, "content-type")), (409, Some("text/x.tlog.size")));
            assert_eq!(
                body.trim().parse::<u64>().unwrap(),
                fs::metadata(world.mirrored(&run).join("00000000.seg")).unwrap().len()
            );
            world.kill_and_start();
        }
        world.mirror(&[]).expect_code(0);
        home.aisandbox(&["audit", "verify", world.mirrored(&run).to_str().unwrap()]).output().expect_code(0);
    });
}

#[test]
fn what_does_not_verify_or_is_not_the_clients_is_refused() {
    for_each_user(|home| {
        let run = with_runs(&home, &[(&story::whole(), true)])[0].to_string();
        let world = World::new(&home);
        let mut bytes = fs::read(runs(&home).join(&run).join("00000000.seg")).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let file = home.join("changed");
        fs::write(&file, &bytes).unwrap();
        let data = format!("@{}", file.display());
        let put =
            |client: &str, path: &str| world.ask(client, path, &["-X", "PUT", "--data-binary", &data]).0;
        let path = format!("/v1/logs/{}/{run}/0?at=0", world.identity);
        assert_eq!(put("laptop.example", &path), 422);
        assert_eq!(world.status_json()["findings"][0]["kind"], "refused");
        world.status(&[]).expect_code(1);
        assert_eq!(put("other.example", &path), 403, "it speaks for another device");
        for path in [
            format!("/v1/logs/{}/..%2f..%2fx/0?at=0", world.identity),
            format!("/v1/logs/..%2f../{run}/0?at=0"),
            format!("/v1/logs/{}/{}/0?at=0", world.identity, run.to_lowercase() + "x"),
        ] {
            assert_eq!(put("laptop.example", &path), 404, "{path}");
        }
        assert_eq!(put("laptop.example", &format!("/v1/logs/{}/{run}/x?at=0", world.identity)), 400);
        assert_eq!(put("laptop.example", &format!("/v1/logs/{}/{run}/0", world.identity)), 400);
        let big = home.join("big");
        fs::write(&big, vec![0; (4 << 20) + 1]).unwrap();
        let data = format!("@{}", big.display());
        assert_eq!(world.ask("laptop.example", &path, &["-X", "PUT", "--data-binary", &data]).0, 413);
        assert_eq!(world.ask("laptop.example", &path, &["-X", "DELETE"]).0, 405);
        // And the right one is taken as ever.
        world.mirror(&[]).expect_code(0);
        home.aisandbox(&["audit", "verify", world.mirrored(&run).to_str().unwrap()]).output().expect_code(0);
    });
}

#[test]
fn the_witness_answers_as_its_protocol_says() {
    for_each_user(|home| {
        let run = with_runs(&home, &[(&story::whole(), true)])[0].to_string();
        let world = World::new(&home);
        let folder = runs(&home).join(&run);
        let body = |old: u64| Submission::of(&folder, old).unwrap().unwrap().body();
        let add = |client: &str, text: &str| {
            let file = home.join("submission");
            fs::write(&file, text).unwrap();
            world.ask(
                client,
                "/add-checkpoint",
                &["-X", "POST", "--data-binary", &format!("@{}", file.display())],
            )
        };
        assert_eq!(add("laptop.example", &body(0)).0, 404, "nothing of this log came yet");
        world.mirror(&[]).expect_code(0);
        let size = Submission::of(&folder, 0).unwrap().unwrap().size();
        assert_eq!(add("other.example", &body(0)).0, 404, "it is not a log of this client");
        let (status, head, told) = add("laptop.example", &body(0));
        assert_eq!(
            (status, header(&head, "content-type"), told),
            (409, Some("text/x.tlog.size"), format!("{size}\n"))
        );
        let (status, _, lines) = add("laptop.example", &body(size));
        assert_eq!(status, 200);
        assert!(
            lines.starts_with("\u{2014} w.example/1 ") && lines.ends_with('\n') && lines.lines().count() == 1,
            "{lines}"
        );
        assert_eq!(
            add("laptop.example", &body(size).replacen("old ", "old 9", 1)).0,
            400,
            "older than it is"
        );
        assert_eq!(add("laptop.example", "no submission").0, 400);
        assert_eq!(add("laptop.example", &body(size).replace(&run, "01ARZ3NDEKTSV4RRFFQ69G5FAV")).0, 404);
        let unsigned = body(size).replacen(&format!("\n{size}\n"), &format!("\n{}\n", size + 1), 1);
        assert_eq!(add("laptop.example", &unsigned).0, 403);
        let proof = body(size).replacen('\n', &format!("\n{}=\n", "A".repeat(43)), 1);
        assert_eq!(add("laptop.example", &proof).0, 422, "a proof where none belongs");
    });
}

#[test]
fn a_run_that_says_nothing_any_more_is_told_as_silent() {
    for_each_user(|home| {
        with_runs(&home, &[]);
        let (run, _log) = open_run(&home, 3);
        let world = World::new(&home);
        world.mirror(&[]).expect_code(0);
        world.status(&[]).expect_code(0);
        let silent = comes_true(PATIENCE, || world.status(&["--silent", "1s"]).code == 3);
        assert!(silent);
        assert!(world.status(&["--silent", "1s"]).stdout().contains(&format!("  {run}  OPEN")));
        // A word of the run that goes on, even with nothing new, ends the silence.
        world.mirror(&[]).expect_code(0);
        world.status(&["--silent", "1h"]).expect_code(0);
    });
}

#[test]
fn a_disk_that_is_full_refuses_and_goes_on_when_there_is_room() {
    if !nix::unistd::getuid().is_root() {
        return skip("only root mounts a small disk");
    }
    for_each_user(|home| {
        let many: Vec<_> = (0..2_000).map(|number| story::denial("d", &format!("/{number}"), 1)).collect();
        let run = with_runs(&home, &[(&many, true)])[0].to_string();
        let store = home.make_folder("store");
        let mount = format!(
            "mount -t tmpfs -o size=1m,mode=0700,uid={0},gid={0} none {1}",
            home.user.uid,
            store.display()
        );
        if !std::process::Command::new("sh").args(["-c", &mount]).status().unwrap().success() {
            return skip("no tmpfs can be mounted here");
        }
        let done = std::panic::catch_unwind(|| {
            let world = World::with_store(&home, store.clone());
            let full = world.mirror(&[]);
            full.expect_code(1);
            full.expect_said("507");
            let again = format!("mount -o remount,size=64m {}", store.display());
            assert!(std::process::Command::new("sh").args(["-c", &again]).status().unwrap().success());
            world.mirror(&[]).expect_code(0);
            home.aisandbox(&["audit", "verify", world.mirrored(&run).to_str().unwrap()])
                .output()
                .expect_code(0);
        });
        nix::mount::umount(&store).unwrap();
        done.unwrap();
    });
}
