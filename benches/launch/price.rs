//! Price: what system calls cost inside, against outside. The program that measures is this bench itself.

use crate::place::Place;
use crate::table::Samples;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::collections::BTreeMap;
use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

/// Where the same calls are made.
const WHERE: [&str; 3] = ["outside", "guarded", "unguarded"];

pub(crate) fn run(place: &Place) {
    println!("\n== price of system calls, ns");
    let (names, found) = measure_all(place, &WHERE);
    println!(
        "{:<22} {:>9} {:>9} {:>7} {:>10} {:>7}",
        "", "outside", "guarded", "ratio", "unguarded", "ratio"
    );
    for (number, name) in names.iter().enumerate() {
        let [outside, guarded, unguarded] = WHERE.map(|at| found[&(number, at)].median());
        println!(
            "{name:<22} {outside:>9.0} {guarded:>9.0} {:>7.2} {unguarded:>10.0} {:>7.2}",
            guarded / outside,
            unguarded / outside
        );
    }
    println!("open, stat and read inside: at most 1.25, aim 1.10; a created file: aim 40,000 ns or less");
}

/// Samples of an act, by its number, at one of the places.
pub(crate) type Found<'a> = BTreeMap<(usize, &'a str), Samples>;

/// Has every act measured in each of the places, in turns.
pub(crate) fn measure_all<'a>(place: &Place, places: &[&'a str]) -> (Vec<String>, Found<'a>) {
    let mut found = Found::new();
    let mut names = Vec::new();
    for _ in 0..crate::turns(7, 1) {
        for at in places {
            names = measure(place, at, &mut found);
        }
    }
    (names, found)
}

/// Starts the measuring program in one of the places and reads its lines.
fn measure<'a>(place: &Place, at: &'a str, found: &mut BTreeMap<(usize, &'a str), Samples>) -> Vec<String> {
    let bench = place.bench().to_string_lossy().into_owned();
    let mut command = match at {
        "outside" => place.command(&bench),
        profile => sandboxed(place, profile, &bench),
    };
    let output = command.args(["--inside", "."]).stdout(Stdio::piped()).output().expect("measure");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<(&str, u64)> = text
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, ns)| (name, ns.parse().unwrap()))
        .collect();
    assert!(output.status.success() && lines.len() == ACTS.len(), "{at}: {}, {text}", output.status);
    for (number, (_, ns)) in lines.iter().enumerate() {
        // Samples are kept in microseconds; these are nanoseconds a thousandfold, printed as they are.
        found.entry((number, at)).or_default().add(std::time::Duration::from_micros(*ns));
    }
    lines.iter().map(|(name, _)| (*name).to_owned()).collect()
}

fn sandboxed(place: &Place, profile: &str, bench: &str) -> Command {
    let mut command = place.command(place.path("bin/aisandbox"));
    command.args(["exec", "-q", "--profile"]).arg(place.profile(profile)).args(["--ro", bench, "--", bench]);
    command
}

/// One kind of call: its name, and the call on a file of the folder.
type Act = (&'static str, fn(&Path));

const ACTS: [Act; 8] = [
    ("getpid", |_| {
        black_box(nix::unistd::getpid());
    }),
    ("open and close", |folder| drop(open(&folder.join("README"), OFlag::O_RDONLY, Mode::empty()).unwrap())),
    ("open for writing", |folder| {
        drop(open(&folder.join("README"), OFlag::O_WRONLY, Mode::empty()).unwrap())
    }),
    ("stat", |folder| {
        black_box(nix::sys::stat::stat(&folder.join("README")).unwrap());
    }),
    ("open, read 4 KiB", |folder| {
        let file = open(&folder.join("README"), OFlag::O_RDONLY, Mode::empty()).unwrap();
        assert_eq!(nix::unistd::read(&file, &mut [0; 4096]), Ok(4096));
    }),
    ("read 4 KiB", |folder| {
        static HELD: OnceLock<File> = OnceLock::new();
        let file = HELD.get_or_init(|| File::open(folder.join("README")).unwrap());
        assert_eq!(file.read_at(&mut [0; 4096], 0).unwrap(), 4096);
    }),
    ("create and unlink", |folder| {
        create(&folder.join("new"));
        nix::unistd::unlink(&folder.join("new")).unwrap();
    }),
    ("mkdir and rmdir", |folder| {
        nix::unistd::mkdir(&folder.join("dir"), Mode::S_IRWXU).unwrap();
        std::fs::remove_dir(folder.join("dir")).unwrap();
    }),
];

fn create(path: &Path) {
    drop(
        open(path, OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY, Mode::S_IRUSR | Mode::S_IWUSR).unwrap(),
    );
}

/// The measuring program: for each act the median, over batches, of its mean in nanoseconds.
pub(crate) fn inside(folder: &str) {
    let folder = Path::new(folder);
    for (name, act) in ACTS {
        let slow = name.starts_with("create") || name.starts_with("mkdir");
        let (batches, batch) = if crate::quick() { (3, 50) } else { (31, if slow { 100 } else { 1000 }) };
        let mut means: Vec<u128> = Vec::new();
        for _ in 0..batches {
            let start = Instant::now();
            for _ in 0..batch {
                act(folder);
            }
            means.push(start.elapsed().as_nanos() / batch);
        }
        means.sort_unstable();
        println!("{name} {}", means[means.len() / 2]);
    }
}
