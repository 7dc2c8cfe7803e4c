//! Ask mounts: what role `mounts` takes for one change, how soon the agent has its data after a yes, and what places
//! that are not asked for, and one that was granted, cost beside the same in a run where nothing asks.
//!
//! Stands on the Guardian of tests/ask_mounts. Each run is in a process of its own: a launch wants one thread.

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/ask_mounts/fuse.rs"]
mod fuse;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/ask_mounts/guardian.rs"]
mod guardian;
#[path = "../../tests/support/library.rs"]
mod library;

use super::timing::median;
use super::{support, turns};
use aisandbox::sys::process;
use fuse::Answer;
use guardian::{DONE, Guarded};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// The part of this bench that runs as the agent: opens, reads and closes files, and says what one time took.
pub(crate) fn inside(plain: &str, asked: &str) {
    let first = std::fs::read(asked).map(|_| since_epoch());
    let first = first.expect("the place was granted");
    println!("{first} {} {}", one_read(plain), one_read(asked));
}

/// Nanoseconds of one open, read and close: the median of batches.
/// What something gives, and how many milliseconds it took.
fn timed<T>(what: impl FnOnce() -> T) -> (T, f64) {
    let begun = std::time::Instant::now();
    let done = what();
    (done, begun.elapsed().as_secs_f64() * 1e3)
}

fn one_read(path: &str) -> f64 {
    let often = 200;
    let mut batches: Vec<f64> = (0..turns(200, 10))
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..often {
                let mut text = [0; 64];
                let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut text));
                assert!(read.is_ok());
            }
            begun.elapsed().as_nanos() as f64 / f64::from(often)
        })
        .collect();
    median(&mut batches)
}

fn since_epoch() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos()
}

const ASKS: &str = "{ path: $PWD/asked, access: ask, actions: [read] }";
const SHOWN: &str = "{ path: $PWD/asked, access: ro }";

/// Everything of this part.
pub(crate) fn run() {
    support::binary();
    let folder = Folder::make();
    role_alone(&folder);
    beside(&folder);
}

fn profile(entry: &str) -> String {
    let this = std::env::current_exe().unwrap();
    format!("filesystem: [{entry}, {{ path: {}, access: ro }}]\n", this.display())
}

/// Attach and detach, with the way to the role and back.
fn role_alone(folder: &Folder) {
    let many = turns(300, 10);
    let took = folder.in_child(|path| {
        let sandbox = Guarded::new(path, &profile(ASKS), "true");
        let mounts = std::sync::Arc::clone(&sandbox.mounts);
        let (mut attach, mut detach) = (Vec::new(), Vec::new());
        {
            let mounts = mounts.lock().unwrap();
            for _ in 0..many {
                let (answer, took) = timed(|| mounts.attach(0, true));
                assert_eq!(answer, DONE);
                attach.push(took * 1e3);
                let (answer, took) = timed(|| mounts.detach(0));
                assert_eq!(answer, DONE);
                detach.push(took * 1e3);
            }
        }
        drop(sandbox.run(|_, _| Answer::Deny));
        vec![median(&mut attach), median(&mut detach)]
    });
    println!("role mounts, one attach   {:>9.1} µs (median of {many})", took[0]);
    println!("role mounts, one detach   {:>9.1} µs (median of {many})", took[1]);
}

/// A run that asks beside one that does not, in turns.
fn beside(folder: &Folder) {
    let (mut to_data, mut plain, mut granted) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..turns(15, 2) {
        let without = folder.in_child(|path| agent(path, SHOWN));
        let with = folder.in_child(|path| agent(path, ASKS));
        to_data.push(with[0] / 1e6);
        plain.push(with[1] / without[1]);
        granted.push(with[2] / without[2]);
    }
    println!("from yes to data          {:>9.3} ms (must 3, aim 0.5)", median(&mut to_data));
    println!("a path that does not ask  {:>9.3} times (must 1.02)", median(&mut plain));
    println!("a path that was granted   {:>9.3} times (must 1.02)", median(&mut granted));
}

/// Nanoseconds from the yes to the data, and of one read of a file of the folder and of one in the place.
fn agent(path: &Path, entry: &str) -> Vec<f64> {
    let this = std::env::current_exe().unwrap();
    let script = format!("exec {} --inside $PWD/plain $PWD/asked/note", this.display());
    let yes = std::sync::Arc::new(std::sync::Mutex::new(0));
    let said_at = std::sync::Arc::clone(&yes);
    let sandbox = Guarded::new(path, &profile(entry), &script);
    let (_, said) = sandbox.run(move |touch, mounts| {
        *said_at.lock().unwrap() = since_epoch();
        assert_eq!(mounts.attach(touch.entry, true), DONE);
        Answer::Retry
    });
    let words: Vec<&str> = said.split_whitespace().collect();
    let first: u128 = words[0].parse().unwrap();
    let waited = first.saturating_sub(*yes.lock().unwrap()) as f64;
    vec![waited, words[1].parse().unwrap(), words[2].parse().unwrap()]
}

/// A folder with a file, and a place with another.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Self {
        let path = std::env::temp_dir().canonicalize().unwrap();
        let path = path.join(format!("aisandbox-bench-asks-{}", std::process::id()));
        std::fs::create_dir_all(path.join("asked")).unwrap();
        for file in ["plain", "asked/note"] {
            std::fs::write(path.join(file), "some text\n").unwrap();
        }
        Self(path)
    }

    /// Runs a body in a process of its own; gives its numbers.
    fn in_child(&self, body: impl FnOnce(&Path) -> Vec<f64>) -> Vec<f64> {
        let result = self.0.with_extension("result");
        process::assert_single_threaded().unwrap();
        // SAFETY: one thread, as checked; the child ends by _exit.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            std::panic::set_hook(Box::new(|panic| {
                eprintln!("{panic}");
                process::exit_now(101)
            }));
            let numbers: Vec<String> = body(&self.0).iter().map(f64::to_string).collect();
            std::fs::write(&result, numbers.join(" ")).unwrap();
            process::exit_now(0);
        }
        assert_eq!(process::wait_for(pid), Ok(process::Ended::Exited(0)));
        std::thread::sleep(Duration::from_millis(20)); // the run's own processes are gone by then
        let text = std::fs::read_to_string(&result).unwrap();
        std::fs::remove_file(result).unwrap();
        text.split(' ').map(|number| number.parse().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
