//! What waiting, reading and appending cost here. Prints numbers; fails only far beyond what a person would notice.

use crate::place::{Place, agent, got, inside};
use aisandbox::wire::files::{Serve, Verdict};
use aisandbox::wire::subject::Action;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn a_yes_reaches_the_waiting_open_within_milliseconds() {
    inside("cost::a_yes_reaches_the_waiting_open_within_milliseconds", |home| {
        let mut times: Vec<Duration> = (0..15)
            .map(|number| {
                let home = home.join(number.to_string());
                fs::create_dir(&home).unwrap();
                let place = Place::new(&home, true, None);
                fs::write(place.real.join("x"), "content").unwrap();
                let at = place.at.join("x");
                let run = agent(move || (fs::read_to_string(at), Instant::now()));
                let (touch, ..) = place.touched();
                place.send_grant(&[Action::Read], None);
                place.attach_real();
                let decided = Instant::now();
                place.decide(touch, Verdict::Retry {});
                let (text, at) = got(&run);
                assert_eq!(text.unwrap(), "content");
                at - decided
            })
            .collect();
        times.sort();
        eprintln!("yes to data: median {:?}, longest {:?}", times[7], times[14]);
        assert!(times[7] < Duration::from_secs(5), "{times:?}");
    });
}

#[test]
fn reading_and_appending_cost_microseconds() {
    inside("cost::reading_and_appending_cost_microseconds", |home| {
        let place = Place::granted(home, Serve::Checked {}, &[Action::Read, Action::Append], &[("log", "")]);
        fs::write(place.real.join("large"), vec![b'x'; 64 << 20]).unwrap();
        for (who, folder) in [("native", &place.real), ("served", &place.at)] {
            let (read, append) = (read_all(&folder.join("large")), append_many(&folder.join("log")));
            let rate = 64.0 / read.as_secs_f64();
            eprintln!("{who}: read {rate:.0} MiB/s, append of 100 bytes {:?}", append / 2000);
            assert!(rate > 0.5 && append / 2000 < Duration::from_millis(200));
        }
    });
}

fn read_all(path: &Path) -> Duration {
    let mut buffer = vec![0; 128 << 10];
    let begun = Instant::now();
    let mut file = File::open(path).unwrap();
    while file.read(&mut buffer).unwrap() > 0 {}
    begun.elapsed()
}

fn append_many(path: &Path) -> Duration {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    let begun = Instant::now();
    for _ in 0..2000 {
        file.write_all(&[b'x'; 100]).unwrap();
    }
    begun.elapsed()
}
