//! Sensitive places that the profile shows from the start: role `dlp` knows what they hold before the agent starts.
//!
//! Never lets an agent start beside such a place of which not all that should be known is.

use super::dlp;
use crate::audit::{Event, SharedLog, access};
use crate::base::{InnerPath, Source};
use crate::guardian::lesson::{is_confidential, teach};
use crate::guardian::{introduce, label};
use crate::host::Object;
use crate::plan::Plan;
use crate::plan::view::{Act, BindFlags, door_source};
use crate::wire::dlp::FromDlp;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// How long the role may take to hash what it was sent.
const PATIENCE: Duration = Duration::from_secs(20);
/// No lease has this number.
const NO_LEASE: u64 = 0;

/// A place, what is shown there, and who asked for it.
struct Place<'a> {
    at: &'a InnerPath,
    label: &'static str,
    object: &'a Object,
    asked: &'a Source,
}

/// The places of a plan. The folder that the command works in is none, and what is above it makes nothing in it one: it is
/// there to be worked on, and so to be sent.
fn places(plan: &Plan) -> impl Iterator<Item = Place<'_>> {
    let works_in = plan.view.host_of(&plan.chdir);
    plan.view.steps.iter().filter_map(move |step| {
        let Act::Bind { object, flags: BindFlags { device: false, .. } } = &step.act else { return None };
        let path = object.canonical.as_path();
        let inside = works_in.as_ref().and_then(|folder| path.strip_prefix(folder.as_path()).ok());
        let label = label::of(inside.unwrap_or(path));
        let works_on = step.at.contains(&plan.chdir);
        let counts = is_confidential(label) && !works_on && step.asked != door_source() && !is_public(object);
        counts.then_some(Place { at: &step.at, label, object, asked: &step.asked })
    })
}

/// A file of the machine that everybody on it can read, such as certificates in PEM.
fn is_public(object: &Object) -> bool {
    let Some(fd) = &object.fd else { return false };
    let about = std::fs::metadata(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    about.is_ok_and(|about| about.is_file() && about.uid() == 0 && about.mode() & 0o004 != 0)
}

/// The same as lines, for people; none where nothing is scanned.
pub(in crate::cli) fn lines(plan: &Plan) -> Vec<String> {
    let scanned = plan.egress.is_some() && dlp::is_wanted(&plan.profile.network);
    if scanned { all_lines(plan) } else { Vec::new() }
}

/// The same, scanned or not.
pub(in crate::cli) fn all_lines(plan: &Plan) -> Vec<String> {
    places(plan).map(|place| format!("{} [{}] ({})", place.at, place.label, place.asked)).collect()
}

/// Sends role `dlp` what the places hold, one after the other, and waits until it is known.
/// # Errors
/// In words; then the agent must not start.
pub(super) fn teach(role: BorrowedFd<'_>, plan: &Plan, log: &SharedLog) -> Result<(), String> {
    for place in places(plan) {
        let known = teach_one(role, &place).map_err(|why| {
            format!("make known what lies at {} [{}]: {why} ({})", place.at, place.label, place.asked)
        })?;
        log.append(&Event::KnownFiles(known)).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn teach_one(role: BorrowedFd<'_>, place: &Place<'_>) -> Result<access::KnownFiles, String> {
    let object = place.object.fd.as_ref().ok_or("it is not held open")?;
    let sent = teach::files(role, object, place.label).map_err(|error| error.to_string())?;
    if !sent.whole {
        return Err("it could not be read in time".to_owned());
    }
    teach::end(role, NO_LEASE, sent.left_out).map_err(|error| error.to_string())?;
    let (files, left_out) = match introduce::answer(role, "dlp", PATIENCE)? {
        FromDlp::Learned { lesson: NO_LEASE, files, left_out } => (files, left_out),
        _ => return Err("role dlp says what it was not asked".to_owned()),
    };
    let (grant, at, label) = (String::new(), place.at.to_string(), place.label.to_owned());
    Ok(access::KnownFiles { grant, place: Some(at), label, files, left_out, request: None, token: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::HostPath;
    use crate::host::{HostTree, Tree};
    use crate::sys::socket;
    use crate::wire::codec::encode;
    use std::os::fd::{AsFd, OwnedFd};

    /// What comes of a lesson when the role hears so many messages and then says this, or ends.
    fn with_role(messages: usize, says: Option<FromDlp>) -> Result<access::KnownFiles, String> {
        let folder = std::env::temp_dir().join(format!("aisandbox-known-{}-{messages}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("letter"), "a letter ".repeat(100_000)).unwrap();
        let object = HostTree.open(&HostPath::new(&folder).unwrap(), true).unwrap();
        let (ours, theirs) = socket::message_pair().unwrap();
        let role = move |theirs: OwnedFd| {
            let mut buffer = vec![0; 1 << 17];
            for _ in 0..messages {
                socket::receive(theirs.as_fd(), &mut buffer, true).unwrap();
            }
            if let Some(says) = says {
                socket::send(theirs.as_fd(), &encode(&says).unwrap(), None, true).unwrap();
                while socket::receive(theirs.as_fd(), &mut buffer, true).is_ok_and(|(length, _)| length > 0) {
                }
            }
        };
        let thread = std::thread::spawn(move || role(theirs));
        let (at, asked) = (InnerPath::new("/home/u/.ssh").unwrap(), Source::built_in("a test"));
        let place = Place { at: &at, label: "keys", object: &object, asked: &asked };
        let done = teach_one(ours.as_fd(), &place);
        drop(ours);
        thread.join().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        done
    }

    #[test]
    fn only_what_the_role_says_it_learned_is_known() {
        let learned = |lesson| FromDlp::Learned { lesson, files: 1, left_out: 0 };
        let known = with_role(1, Some(learned(NO_LEASE))).unwrap();
        assert_eq!((known.place.as_deref(), known.files), (Some("/home/u/.ssh"), 1));
        assert_eq!(with_role(2, Some(learned(7))).unwrap_err(), "role dlp says what it was not asked");
        for messages in [0, 3] {
            let why = with_role(messages, None).unwrap_err();
            assert!(!why.is_empty(), "a role that ended");
        }
    }
}
