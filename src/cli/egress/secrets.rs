//! Secrets of `credentials`: found outside before the run, so that the sandbox never holds one.
//!
//! Never says a secret: an error names the credential and its source alone.

use crate::base::escape;
use crate::cli::output::complain;
use crate::profile::{Credential, SecretSource};
use crate::sys::signal;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The most bytes of a secret.
const MOST_BYTES: usize = 16 * 1024;
/// The least: a shorter one stands in too much text by chance.
const LEAST_BYTES: usize = 8;
/// How long a program may take that gives a secret: a person may have to unlock something.
const PATIENCE: Duration = Duration::from_secs(60);

/// The secret of a credential; `None` for one that is optional and not there, or is none: that is said.
/// # Errors
/// In words, without the secret.
pub(super) fn find_if_any(credential: &Credential) -> Result<Option<Zeroizing<String>>, String> {
    if credential.optional && is_absent(&credential.source) {
        return Ok(None);
    }
    match find(credential) {
        Err(why) if credential.optional => {
            complain(&format!("{why}; the run goes without it"), None);
            Ok(None)
        }
        found => found.map(Some),
    }
}

/// Where a secret is, and whether it is there, without a look at it.
pub(super) fn about(source: &SecretSource) -> String {
    let there = if is_absent(source) { "not set" } else { "set" };
    match source {
        SecretSource::Environment(name) => format!("variable {name}, {there}"),
        SecretSource::File(path) if is_absent(source) => format!("file {path}, not there"),
        SecretSource::File(path) => format!("file {path}"),
        SecretSource::Command(words) => {
            format!("from {}", escape(words.first().map(String::as_bytes).unwrap_or_default()))
        }
        SecretSource::Keyring(_) => "from the Secret Service".to_owned(),
    }
}

/// Nobody gave one: no reason for a word.
fn is_absent(source: &SecretSource) -> bool {
    match source {
        SecretSource::Environment(name) => std::env::var_os(name).is_none_or(|value| value.is_empty()),
        SecretSource::File(path) => !path.as_path().exists(),
        SecretSource::Command(_) | SecretSource::Keyring(_) => false,
    }
}

/// The secret of a credential.
/// # Errors
/// In words, without the secret.
fn find(credential: &Credential) -> Result<Zeroizing<String>, String> {
    let told = |why: String| format!("credential {}: {why} ({})", credential.name, credential.asked);
    let bytes = match &credential.source {
        SecretSource::Environment(name) => std::env::var_os(name)
            .map(|value| Zeroizing::new(value.into_encoded_bytes()))
            .ok_or_else(|| told(format!("the variable {name} is not set"))),
        SecretSource::File(path) => {
            read_file(path.as_path()).map_err(|why| told(format!("read {path}: {why}")))
        }
        SecretSource::Command(words) => {
            let program = words.first().map(String::as_str).unwrap_or_default();
            output_of(words).map_err(|why| told(format!("run {program}: {why}")))
        }
        SecretSource::Keyring(attributes) => {
            let pairs = attributes.iter().flat_map(|(name, value)| [name.clone(), value.clone()]);
            let words: Vec<String> =
                ["/usr/bin/secret-tool", "lookup"].map(str::to_owned).into_iter().chain(pairs).collect();
            output_of(&words).map_err(|why| told(format!("ask the Secret Service (secret-tool): {why}")))
        }
    }?;
    let text = std::str::from_utf8(&bytes).map_err(|_| told("it is no text".into()))?;
    let secret = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    let fit = |byte: u8| (b' '..=b'~').contains(&byte);
    if secret.len() < LEAST_BYTES {
        return Err(told(format!("it has fewer than {LEAST_BYTES} bytes")));
    }
    if !secret.bytes().all(fit) {
        return Err(told("it has bytes that no header can carry".into()));
    }
    Ok(Zeroizing::new(secret.to_owned()))
}

fn read_file(path: &std::path::Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    if !file.metadata().is_ok_and(|facts| facts.is_file()) {
        return Err("not a file".to_owned());
    }
    read_all(file)
}

fn read_all(source: impl Read) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_BYTES + 1));
    let most = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX);
    source.take(most + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > MOST_BYTES { Err(format!("more than {MOST_BYTES} bytes")) } else { Ok(bytes) }
}

/// What a program prints. Its words for people go where ours go; a prompt of its own works. No thread is made for it: the
/// launcher clones with one.
fn output_of(words: &[String]) -> Result<Zeroizing<Vec<u8>>, String> {
    let (program, arguments) = words.split_first().ok_or("no program")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let read = child.stdout.take().ok_or_else(|| "no output".to_owned()).and_then(read_in_time);
    if read.is_err() {
        child.kill().map_err(|error| error.to_string())?;
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    match read {
        Ok(_) if !status.success() => Err(format!("it failed: {status}")),
        read => read,
    }
}

/// All that comes, up to the most and not longer than our patience.
fn read_in_time(mut output: ChildStdout) -> Result<Zeroizing<Vec<u8>>, String> {
    let began = Instant::now();
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_BYTES + 1));
    loop {
        let left = PATIENCE.saturating_sub(began.elapsed());
        let mut wait = [signal::wants_reading(Some(output.as_fd()))];
        let ready = signal::poll(&mut wait, i32::try_from(left.as_millis()).unwrap_or(i32::MAX));
        if ready.map_err(|errno| errno.desc().to_owned())? == 0 {
            return Err(format!("no answer within {} seconds", PATIENCE.as_secs()));
        }
        let mut piece = Zeroizing::new([0; 4096]);
        let count = output.read(&mut *piece).map_err(|error| error.to_string())?;
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        if count == 0 {
            return Ok(bytes);
        }
        if bytes.len() > MOST_BYTES {
            return Err(format!("more than {MOST_BYTES} bytes"));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::base::{HostPath, Source};

    fn credential(source: SecretSource) -> Credential {
        Credential {
            name: "k".into(),
            source,
            hosts: Vec::new(),
            places: Vec::new(),
            variable: None,
            optional: false,
            asked: Source::flag("--x"),
        }
    }

    #[test]
    fn a_secret_comes_from_its_source_and_is_never_said() {
        let command = |text: &str| {
            let words = ["/bin/sh", "-c", text].map(str::to_owned).to_vec();
            find(&credential(SecretSource::Command(words)))
        };
        assert_eq!(command("echo sk-0123456789").unwrap().as_str(), "sk-0123456789");
        assert_eq!(command("printf 'sk-0123456789\\r\\n'").unwrap().as_str(), "sk-0123456789");
        for (text, why) in [
            ("echo short", "fewer than"),
            ("printf 'sk-012345\\n6789'", "no header"),
            ("printf '\\377\\377\\377\\377\\377\\377\\377\\377'", "no text"),
            ("echo sk-0123456789; exit 3", "it failed"),
            ("head -c 20000 /dev/zero", "more than"),
        ] {
            let told = command(text).unwrap_err();
            assert!(told.contains(why) && !told.contains("sk-0"), "{text}: {told}");
        }
        let file = std::env::temp_dir().join(format!("aisandbox-secret-{}", std::process::id()));
        std::fs::write(&file, "from-a-file\n").unwrap();
        let path = HostPath::new(file.clone()).unwrap();
        assert_eq!(find(&credential(SecretSource::File(path))).unwrap().as_str(), "from-a-file");
        std::fs::remove_file(&file).unwrap();
        let folder = find(&credential(SecretSource::File(HostPath::new("/").unwrap()))).unwrap_err();
        assert!(folder.contains("not a file"), "{folder}");
        let unset = find(&credential(SecretSource::Environment("AISANDBOX_NOT_SET".into()))).unwrap_err();
        assert!(unset.contains("not set"), "{unset}");
        let optional = |source| find_if_any(&Credential { optional: true, ..credential(source) }).unwrap();
        assert!(optional(SecretSource::Environment("AISANDBOX_NOT_SET".into())).is_none());
        assert!(optional(SecretSource::File(HostPath::new("/nothing/here").unwrap())).is_none());
        let printed = |text: &str| SecretSource::Command(["/bin/sh", "-c", text].map(str::to_owned).to_vec());
        assert!(optional(printed("echo short")).is_none());
        assert_eq!(optional(printed("echo sk-0123456789")).unwrap().as_str(), "sk-0123456789");
    }
}
