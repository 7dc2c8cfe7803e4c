//! `audit export` on logs made by hand: what holds comes out, from where it should, and nothing else.

use super::{Place, end, event, segment};
use aisandbox::audit::Record;
use aisandbox::audit::export::Format;
use aisandbox::base::RunId;
use aisandbox::cli::audit::{ExportWish, export};
use std::fs;

struct Out {
    code: u8,
    lines: Vec<String>,
    told: Vec<String>,
}

fn exported(place: &Place, runs: &[String], format: Format, after: Option<&str>) -> Out {
    let (mut bytes, mut told) = (Vec::new(), Vec::new());
    let wish = ExportWish { runs, format, after };
    let code = export(&place.runs(), &wish, &mut bytes, &mut |text| told.push(text.to_owned())).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    Out { code, lines: text.lines().map(str::to_owned).collect(), told }
}

fn ids(out: &Out) -> Vec<(String, u64)> {
    let of = |line: &String| {
        let record: Record = serde_json::from_str(line).unwrap();
        (record.run, record.seq)
    };
    out.lines.iter().map(of).collect()
}

fn sealed(place: &Place, words: &[&str]) -> RunId {
    let (run, mut log) = place.begin();
    words.iter().for_each(|word| log.append(&event(word)).unwrap());
    log.append(&end()).unwrap();
    log.seal().unwrap();
    run
}

#[test]
fn every_leaf_of_every_run_comes_out_once_and_in_order() {
    let place = Place::new();
    let first = sealed(&place, &["a", "b"]);
    std::thread::sleep(std::time::Duration::from_millis(2));
    let second = sealed(&place, &["c"]);
    let out = exported(&place, &[], Format::Jsonl, None);
    let wanted: Vec<(String, u64)> = [(first, 8), (second, 6)]
        .into_iter()
        .flat_map(|(run, count)| (0..count).map(move |index| (run.to_string(), index)))
        .collect();
    assert_eq!((out.code, ids(&out)), (0, wanted));
    assert!(out.told[0].contains("SEALED") && out.told.len() == 2, "{:?}", out.told);
}

#[test]
fn an_export_goes_on_where_it_broke_off() {
    let place = Place::new();
    let runs: Vec<RunId> = (0..3)
        .map(|number| {
            std::thread::sleep(std::time::Duration::from_millis(2));
            sealed(&place, &[&format!("run {number}"), "x"])
        })
        .collect();
    let whole = ids(&exported(&place, &[], Format::Jsonl, None));
    for (at, (run, index)) in whole.iter().enumerate() {
        let rest = exported(&place, &[], Format::Jsonl, Some(&format!("{run}:{index}")));
        assert_eq!(ids(&rest), whole[at + 1..], "{run}:{index}");
    }
    let only = [runs[1].to_string()];
    let out = exported(&place, &only, Format::Jsonl, Some(&format!("{}:3", runs[1])));
    assert_eq!(ids(&out).first(), Some(&(runs[1].to_string(), 4)));
    let wish = ExportWish { runs: &[], format: Format::Cef, after: Some("last:3") };
    assert!(export(&place.runs(), &wish, &mut Vec::new(), &mut |_| {}).is_err());
}

#[test]
fn of_a_log_that_was_changed_only_what_stands_before_comes_out() {
    let place = Place::new();
    let run = sealed(&place, &["good", "spoiled", "never seen"]);
    let path = segment(&place.folder(run));
    let mut bytes = fs::read(&path).unwrap();
    // Of the second event; what it says is not in the log itself.
    let places: Vec<usize> =
        (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"launch_failure")).collect();
    assert_eq!(places.len(), 3);
    bytes[places[1]] ^= 1;
    fs::write(&path, bytes).unwrap();
    for (format, word) in Format::ALL {
        let out = exported(&place, &[], format, None);
        assert_eq!(out.code, 1, "{word}");
        assert!(out.told[0].contains("TAMPERED"), "{:?}", out.told);
        let text = out.lines.join("\n");
        assert!(text.contains("good") && !text.contains("poiled") && !text.contains("never seen"), "{word}");
    }
}

#[test]
fn an_open_log_and_a_torn_one_say_so_by_the_exit_code() {
    let place = Place::new();
    let (run, path) = place.log(2, false);
    assert_eq!(exported(&place, &[run.to_string()], Format::Jsonl, None).code, 3);
    let bytes = fs::read(segment(&path)).unwrap();
    fs::write(segment(&path), &bytes[..bytes.len() - 3]).unwrap();
    let out = exported(&place, &[run.to_string()], Format::Ocsf, None);
    assert_eq!(out.code, 2, "{:?}", out.told);
    assert!(!out.lines.is_empty());
}

#[test]
fn a_full_disk_is_an_error_and_a_reader_that_left_is_none() {
    struct Fails(std::io::ErrorKind);
    impl std::io::Write for Fails {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let place = Place::new();
    sealed(&place, &["a"]);
    let wish = ExportWish { runs: &[], format: Format::Ecs, after: None };
    let to = |kind| export(&place.runs(), &wish, &mut Fails(kind), &mut |_| {});
    assert_eq!(to(std::io::ErrorKind::BrokenPipe).unwrap(), 0);
    assert!(to(std::io::ErrorKind::StorageFull).is_err());
}
