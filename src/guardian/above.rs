//! What a run hands down to one that is started beside it: its own profile with less, and what the new one must not exceed.
//!
//! Never adds anything, and never takes a word of an agent for a right: what is asked for chooses among what the profile
//! says, and takes away. The new run's launcher compares the two plans once more.

use super::token::Claims;
use crate::base::{InnerPath, RunId, Source};
use crate::profile::{Less, Profile, Transition, attenuate, descend, to_text};
use crate::wire::agents::{Beside, Handed, Outline, Placeholder, Under};
use crate::wire::broker;
use crate::wire::denial::Reason;
use crate::wire::hidden::Hidden;
use std::time::Duration;

/// What this run can hand down.
#[derive(Debug)]
pub struct Above {
    /// This run.
    pub run: String,
    /// Runs above it, nearest first.
    pub chain: Vec<String>,
    /// Its trace, as hex.
    pub trace: String,
    /// Its profile as it was given, flags included: without what a run has of its own.
    pub profile: Profile,
    /// What its plan gives.
    pub outline: Outline,
    /// Programs that get less.
    pub programs: Vec<Pinned>,
    /// What stands for its secrets inside. What an agent wrote down of them means the same to one that it starts.
    pub placeholders: Vec<Placeholder>,
}

/// A program that gets less. The plan holds its file open, so that no other file ever has its number.
#[derive(Debug)]
pub struct Pinned {
    /// What the profile says of it.
    pub wish: Transition,
    /// The file's device number.
    pub dev: u64,
    /// The file's inode number.
    pub ino: u64,
}

/// Something to start.
#[derive(Debug)]
pub struct Start<'a> {
    /// Its arguments, as [`words`](crate::wire::words) have them.
    pub argv: String,
    /// Its working folder, in the same way.
    pub chdir: Option<String>,
    /// What it is.
    pub what: What<'a>,
    /// The token it is asked for under.
    pub under: &'a Claims,
}

/// What is started.
#[derive(Debug)]
pub enum What<'a> {
    /// An agent with less, as its caller says.
    Agent(&'a broker::Less),
    /// The program of a transition, as the profile says.
    Program {
        /// Its path, as the profile names it.
        program: &'a str,
        /// Its variables, as [`words`](crate::wire::words) have them.
        environment: Hidden,
    },
}

impl Above {
    /// What the launcher of the new run is told.
    /// # Errors
    /// Why there is nothing to tell.
    pub fn hand_down(&self, run: RunId, start: Start<'_>) -> Result<Handed, (Reason, String)> {
        let mut profile = self.profile.clone();
        descend(&mut profile);
        let transition = match start.what {
            What::Agent(less) => {
                let source = Source::built_in("taken away for an agent that was started");
                attenuate(&mut profile, &asked(less)?, &source);
                None
            }
            What::Program { program, environment } => {
                let pinned = self.program(program)?;
                // In its own sandbox it is itself: what it starts there has no more than it has.
                profile.programs.transitions.retain(|wish| wish.path != pinned.wish.path);
                attenuate(&mut profile, &pinned.wish.less, &pinned.wish.asked);
                Some(pinned.beside(environment))
            }
        };
        Ok(Handed {
            run: run.to_string(),
            chain: [self.run.clone()].into_iter().chain(self.chain.iter().cloned()).collect(),
            name: profile.name.clone(),
            profile: to_text(&profile),
            require: profile.required.iter().map(|layer| layer.name().to_owned()).collect(),
            argv: start.argv,
            chdir: start.chdir,
            transition,
            placeholders: self.placeholders.clone(),
            parent: self.outline.clone(),
            trace: self.trace.clone(),
            under: Under { root: start.under.root.to_string(), depth: start.under.depth },
        })
    }

    /// The program of this name.
    /// # Errors
    /// When there is no transition of it.
    pub fn program(&self, path: &str) -> Result<&Pinned, (Reason, String)> {
        let named = |pinned: &&Pinned| pinned.wish.path.as_path().as_os_str() == path;
        let none = || (Reason::Ceiling, "no transition of the profile names this program".to_owned());
        self.programs.iter().find(named).ok_or_else(none)
    }
}

impl Pinned {
    fn beside(&self, environment: Hidden) -> Beside {
        Beside {
            program: self.wish.path.as_path().display().to_string(),
            dev: self.dev,
            ino: self.ino,
            sha256: self.wish.sha256.clone(),
            wish: self.wish.text(),
            environment,
        }
    }
}

/// What the words of an agent take away.
fn asked(less: &broker::Less) -> Result<Less, (Reason, String)> {
    let places = |paths: &[String]| paths.iter().map(InnerPath::new).collect::<Result<Vec<_>, _>>();
    let wrong = |why: crate::base::PathError| (Reason::Protocol, format!("a place {why}"));
    Ok(Less {
        read_only: places(&less.read_only).map_err(wrong)?,
        hidden: places(&less.hidden).map_err(wrong)?,
        no_network: less.no_network,
        no_requests: less.no_requests,
        wall_time: less.seconds.map(Duration::from_secs),
    })
}
