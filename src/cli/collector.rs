//! `collector`: keeps the logs of devices, and cosigns their heads; `audit mirror` sends them there.
//!
//! Never listens before it is confined: it reads its files first, and then reaches its store and its socket alone.

use super::args::{Collector as Wish, CollectorCommand, Mirror as MirrorWish};
use super::audit::ask::words;
use super::audit::reading;
use super::confine;
use super::output::{complain, print};
use crate::audit::log::{State, Witness};
use crate::audit::{AuditError, json, open_private, runs_dir};
use crate::base::{Escaped, escape};
use crate::launch::ruleset;
use crate::server::collector::{Collector, Files, Status, status};
use crate::server::mirror::{Mirror, Pass, Way};
use std::io::Read;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// The most bytes of a file that is read.
const MOST_FILE: u64 = 8 << 20;
/// The longest pause after a collector was not reached.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Runs `collector …`; gives the exit code.
pub(super) fn run(wish: &Wish) -> u8 {
    match &wish.command {
        Some(CollectorCommand::Status { store, silent, json }) => tell(store, *silent, *json),
        None => {
            let Err(why) = serve(wish) else { return 0 };
            complain(&why, None);
            125
        }
    }
}

fn serve(wish: &Wish) -> Result<(), String> {
    let named = |path: &Option<PathBuf>| path.clone().ok_or("a file is not named");
    let read = |path: &Option<PathBuf>| content(&named(path)?);
    let (cert, key) = (read(&wish.cert)?, Zeroizing::new(read(&wish.key)?));
    let (client_ca, devices) = (read(&wish.client_ca)?, read(&wish.devices)?);
    let devices = String::from_utf8(devices).map_err(|_| "the devices are no text")?;
    let store = std::path::absolute(named(&wish.store)?).map_err(|error| error.to_string())?;
    let folder = open_private(&store).map_err(|error| error.to_string())?;
    let address = wish.listen.ok_or("no address is named")?;
    let listener = TcpListener::bind(address).map_err(|error| format!("listen at {address}: {error}"))?;
    let at = listener.local_addr().map_err(|error| error.to_string())?;
    let rules = ruleset::of_server(&[], folder.as_fd()).map_err(|error| format!("Landlock: {error}"))?;
    crate::server::set_limits().map_err(|errno| format!("set limits: {errno}"))?;
    confine::enter_server(rules)?;
    let files = Files { cert: &cert, key: &key, client_ca: &client_ca, devices: &devices };
    let collector = Collector::open(&store, wish.name.as_deref(), wish.quota, &files)?;
    drop((cert, key, client_ca, devices));
    complain(&format!("collecting at https://{at}, as witness {}", collector.witness()), None);
    collector.serve(listener.into()).map_err(|error| error.to_string())
}

fn content(path: &Path) -> Result<Vec<u8>, String> {
    let failed =
        |error: std::io::Error| format!("read {}: {error}", Escaped(path.as_os_str().as_encoded_bytes()));
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_FILE).read_to_end(&mut bytes))
        .map_err(failed)?;
    Ok(bytes)
}

/// `collector status`.
fn tell(store: &Path, silent: Duration, as_json: bool) -> u8 {
    let told = status(store, silent).and_then(|found| {
        let text = if as_json { json(&found)? + "\n" } else { text(&found) };
        Ok((text, found.code()))
    });
    match told {
        Ok((text, code)) => print(&text).max(code),
        Err(error) => {
            complain(&error.to_string(), None);
            125
        }
    }
}

fn text(found: &Status) -> String {
    let mut lines = Vec::new();
    if let (Some(witness), Some(digest)) = (&found.witness, &found.digest) {
        lines.push(format!("witness {} (digest {digest})", escape(witness.as_bytes())));
    }
    for device in &found.devices {
        let own = match device.state {
            None => "its own log never came".to_owned(),
            Some(State::Tampered) => "its own log is TAMPERED".to_owned(),
            Some(_) if device.missing > 0 => format!("{} entries of its own log are missing", device.missing),
            Some(_) => "its own log is whole".to_owned(),
        };
        lines.push(format!("device {}: {} runs; {own}", device.identity, device.runs.len()));
        for run in &device.runs {
            let why =
                run.why.as_deref().map_or_else(String::new, |why| format!("; {}", escape(why.as_bytes())));
            let silent = run.silent.map_or_else(String::new, |seconds| format!("; SILENT for {seconds} s"));
            let (state, leaves, cosigned) = (words::state(run.state, false), run.leaves, run.cosigned);
            lines.push(format!(
                "  {}  {state}, {leaves} leaves hold, {cosigned} cosigned{silent}{why}",
                run.run
            ));
        }
        lines.extend(
            device
                .absent
                .iter()
                .map(|run| format!("  {}  ABSENT: the device's log has it", escape(run.as_bytes()))),
        );
    }
    lines.extend(found.findings().map(|finding| format!("FOUND {}", escape(finding.as_bytes()))));
    lines.push(String::new());
    lines.join("\n")
}

/// `audit mirror`: sends what is new, once or for as long as it runs; gives the exit code.
pub(super) fn mirror(wish: &MirrorWish) -> u8 {
    match send(wish) {
        Ok(code) => code,
        Err(why) => {
            complain(&why, None);
            125
        }
    }
}

fn send(wish: &MirrorWish) -> Result<u8, String> {
    let dir = runs_dir().map_err(|error: AuditError| error.to_string())?;
    let witness = |text: &String| {
        Witness::parse(text).ok_or_else(|| format!("{}: no key of a witness", escape(text.as_bytes())))
    };
    let known = wish.witness.iter().map(witness).collect::<Result<Vec<_>, _>>()?;
    let (ca, cert, key) = (content(&wish.ca)?, content(&wish.cert)?, Zeroizing::new(content(&wish.key)?));
    let mut mirror = Mirror::new(&dir, &Way { url: &wish.to, ca: &ca, cert: &cert, key: &key }, known)?;
    let mut note = |folders: &[PathBuf]| {
        reading::note(&dir, ("mirror", "segments"), folders, &mut |told| complain(told, None));
    };
    let (mut pause, mut before) = (wish.every, Pass::default());
    loop {
        match mirror.pass(&mut note) {
            Ok(pass) => {
                told(&pass, &before, wish)?;
                if wish.once {
                    return Ok(code(&pass));
                }
                (pause, before) = (wish.every, pass);
            }
            Err(why) if wish.once => return Err(why),
            Err(why) => {
                complain(&why, None);
                pause = (pause * 2).min(LONGEST_PAUSE.max(wish.every));
            }
        }
        std::thread::sleep(pause);
    }
}

fn told(pass: &Pass, before: &Pass, wish: &MirrorWish) -> Result<(), String> {
    if wish.json {
        print(&(json(pass).map_err(|error| error.to_string())? + "\n"));
        return Ok(());
    }
    for trouble in pass.trouble.iter().filter(|one| !before.trouble.contains(one)) {
        let (kind, run) = (trouble.kind.to_uppercase(), escape(trouble.run.as_bytes()));
        complain(&format!("{kind}: {run}: {}", trouble.what), None);
    }
    if wish.once {
        print(&format!("{} runs, {} bytes sent, {} heads cosigned\n", pass.runs, pass.sent, pass.cosigned));
    }
    Ok(())
}

fn code(pass: &Pass) -> u8 {
    let is = |kind: &str| pass.trouble.iter().any(|trouble| trouble.kind == kind);
    if is("refused") { 1 } else { u8::from(is("truncated")) * 2 }
}
