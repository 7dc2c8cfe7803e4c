//! The format as it is written: every key of a profile file, with the words its values know.
//!
//! Never fills in a default or a variable: `entry` and `merge` do. The JSON Schema is made from these types.

use super::decode::{At, mapping, words};
use super::detection::{ActionWord, Actions};
use super::model::{AuditMode, Layer};
use super::observe::Observe;
use super::template::TemplateKeys;
use super::units::{Bytes, Cores, Count, Lasting, Memory};
use super::values::{Settings, Sha256, Version};
use super::written_entry::EntryKeys;
use super::written_network::{CredentialKeys, DlpKeys, NetworkKeys};

mapping! {
    /// A profile of aisandbox: what a confined program can see and do.
    ProfileFile, required ["version"] {
        /// The version of the format: 1.
        version: Version,
        /// One line for people.
        description: String,
        /// Profiles this one builds on, by name or by path relative to this file. Their settings come first.
        extends: Vec<At<String>>,
        /// What the program sees. What is not named is not there.
        filesystem: Vec<At<EntryKeys>>,
        /// The way out.
        network: NetworkKeys,
        /// Secrets that stay outside: the program has placeholders of them.
        credentials: Vec<At<CredentialKeys>>,
        /// Scanning of what leaves.
        dlp: DlpKeys,
        /// What of the environment reaches the program.
        environment: EnvironmentKeys,
        /// Resource limits.
        limits: LimitKeys,
        /// The system call filter: a name of the shipped filters, or a path.
        seccomp: At<String>,
        /// What Landlock must be able to do.
        landlock: LandlockKeys,
        /// Layers that may be missing on this machine. Their lack is recorded.
        allow_degraded: Vec<At<Layer>>,
        /// Namespaces beyond those that every run has.
        namespaces: NamespaceKeys,
        /// Host name inside.
        hostname: At<String>,
        /// Escape sequences that may reach the terminal.
        terminal: TerminalKeys,
        /// Devices of the desktop.
        desktop: DesktopKeys,
        /// How a person is asked.
        consent: ConsentKeys,
        /// The record.
        audit: AuditKeys,
        /// true: a Guardian serves the run even when nothing in the profile asks.
        guardian: bool,
        /// Agents that the program may start beside itself, with less. None when not said.
        agents: At<AgentKeys>,
        /// Programs: which can be started, and with what.
        programs: ProgramKeys,
        /// Rules that decide about requests before a person is asked. They narrow the profile.
        policy: PolicyKeys,
        /// Rules over what happens in the run, and what is done about what they find.
        detection: DetectionKeys,
    }
}

mapping! {
    /// Rules over what happens in the run (aisandbox-audit(7), DETECTION).
    DetectionKeys, required [] {
        /// `shipped`, or folders with rules in Sigma, by path. Lists of several profiles add up.
        rules: Vec<At<String>>,
        /// What is done about a finding, by the name of a rule or of a level; what is not named is in the record.
        actions: Actions,
        /// What is done when the rules cannot be asked any more, or events were not looked at; `alert` when not said.
        lost: ActionWord,
    }
}

mapping! {
    /// Rules that decide about requests (aisandbox-policy(7)).
    PolicyKeys, required [] {
        /// Shipped policies by name, and folders or archives by path. Lists of several profiles add up.
        bundles: Vec<At<String>>,
        /// A bundle named here that is not signed is refused.
        require_signature: bool,
        /// Files with a public key in PEM, for signatures of bundles. Lists of several profiles add up.
        keys: Vec<At<String>>,
    }
}

mapping! {
    /// What of the environment reaches the program.
    EnvironmentKeys, required [] {
        /// Names that are passed on; `*` at the end stands for any ending.
        keep: Vec<At<String>>,
        /// Names with the values they get inside. Variables are replaced.
        set: Settings,
    }
}

mapping! {
    /// Resource limits.
    LimitKeys, required [] {
        /// Memory of all together.
        memory: Memory,
        /// Processes and threads.
        processes: Count,
        /// CPU cores, such as 1.5.
        cpu: Cores,
        /// Open files of one process.
        open_files: Count,
        /// The greatest file that can be written.
        file_size: Bytes,
        /// The greatest core dump; 0 when not said.
        core_size: Bytes,
        /// The run is ended after this long.
        wall_time: Lasting,
    }
}

mapping! {
    /// What Landlock must be able to do.
    LandlockKeys, required [] {
        /// What must be enforceable, or the launch stops. Lists of several profiles add up.
        require: Vec<LandlockWord>,
    }
}

words! {
    /// A part of Landlock.
    LandlockWord, "part of Landlock" {
        "filesystem" => Filesystem,
        "network" => Network,
        "scopes" => Scopes,
    }
}

mapping! {
    /// Namespaces beyond those that every run has.
    NamespaceKeys, required [] {
        /// Clocks of its own.
        time: bool,
    }
}

words! {
    /// Yes or no.
    Say, "answer" {
        "deny" => Deny,
        "allow" => Allow,
    }
}

mapping! {
    /// Escape sequences that may reach the terminal.
    TerminalKeys, required [] {
        /// OSC 52 may set the clipboard.
        clipboard: Say,
        /// OSC 0, 1 and 2 may set the title.
        title: Say,
    }
}

mapping! {
    /// Devices of the desktop. Only `deny` works in this build.
    DesktopKeys, required [] {
        /// The session bus.
        dbus: At<Say>,
        /// Windows by Wayland.
        wayland: At<Say>,
        /// Windows by X11, where each can read every key.
        x11: At<Say>,
        /// Sound.
        audio: At<Say>,
        /// Cameras.
        camera: At<Say>,
        /// Graphics cards.
        gpu: At<Say>,
    }
}

mapping! {
    /// How a person is asked.
    ConsentKeys, required [] {
        /// Ways to reach a person, in order.
        channels: Vec<ChannelWord>,
        /// No answer after this long means no.
        timeout: Lasting,
        /// How much may be asked.
        rates: RateKeys,
        /// Flows approved in advance. Lists of several profiles add up; one of the same name takes the place.
        templates: Vec<At<TemplateKeys>>,
    }
}

mapping! {
    /// How much may be asked. More is refused without asking anybody.
    RateKeys, required [] {
        /// New questions of a run in a minute, 1 to 600; 20 when not said.
        per_minute: At<Count>,
        /// New questions of one process in a minute, 1 to 600; 10 when not said.
        per_process: At<Count>,
        /// Questions that wait at once, 1 to 64; 16 when not said.
        waiting: At<Count>,
        /// How long a refusal stands, at most 15 minutes; 30 seconds when not said. It doubles with each one.
        refusal: At<Lasting>,
    }
}

words! {
    /// A way to reach a person.
    ChannelWord, "channel" {
        "terminal" => Terminal,
        "ui" => Ui,
        "notification" => Notification,
    }
}

mapping! {
    /// The record.
    AuditKeys, required [] {
        /// durable: on disk before the program runs. buffered: written, and synced when the kernel likes.
        mode: AuditMode,
        /// deny: refusals alone. writes: also what is opened to be written, names that are changed, and programs. all: every open. strict: the same, and no sensitive place is shown but by asking.
        observe: Observe,
    }
}

mapping! {
    /// Agents that the program may start beside itself, with less.
    AgentKeys, required ["most", "depth"] {
        /// How many may run at one time.
        most: Count,
        /// How many levels: 1 lets the program start agents, which start none.
        depth: Count,
    }
}

mapping! {
    /// Programs: which can be started, and with what.
    ProgramKeys, required [] {
        /// Only these can be executed: files, or folders with all below. Lists of several profiles add up.
        allow: Vec<At<AllowedProgram>>,
        /// These cannot be executed by their path. Lists of several profiles add up.
        deny: Vec<At<String>>,
        /// What becomes of a program that `allow` does not name: as the command of a run, and when one is asked for.
        unknown: At<UnknownWord>,
        /// Who is asked about a program that `allow` does not name by its digest.
        reputation: At<ReputationKeys>,
        /// Programs that the Guardian starts beside the one that calls them, with less. Lists of several profiles add up.
        transitions: Vec<At<TransitionKeys>>,
    }
}

mapping! {
    /// A program that gets less than the one that calls it: it runs in a sandbox of its own.
    TransitionKeys, required ["path", "less"] {
        /// Its path, as the program sees it: a file in a place that cannot be written.
        path: At<String>,
        /// Lower-case hex of the SHA-256 of its content, which is checked whenever it is started.
        sha256: At<Sha256>,
        /// What it gets less.
        less: At<LessKeys>,
    }
}

mapping! {
    /// What is taken away. At least one thing is.
    LessKeys, required [] {
        /// Places, with all below them, that it cannot change.
        read_only: Vec<At<String>>,
        /// Places, with all below them, that are not there for it.
        hidden: Vec<At<String>>,
        /// true: no network, not even a loopback.
        no_network: bool,
        /// true: it can ask for nothing, and starts no agents.
        no_requests: bool,
        /// It is ended after this long.
        wall_time: Lasting,
    }
}

mapping! {
    /// A program that can be executed.
    AllowedProgram, required ["path"] {
        /// Its path, as the program sees it; a folder stands for all below it.
        path: At<String>,
        /// Lower-case hex of the SHA-256 of its content, which is checked when the run starts. For a file.
        sha256: At<Sha256>,
    }
}

words! {
    /// What becomes of a program that is not named.
    UnknownWord, "answer" {
        "allow" => Allow,
        "ask" => Ask,
        "deny" => Deny,
    }
}

mapping! {
    /// Who is asked about an unknown program: a command or an address. What is bad, or gets no answer, is not started.
    ReputationKeys, required [] {
        /// A program and its arguments; digest and path are added. Exit code 0 says good, 1 bad, 2 unknown.
        command: Vec<At<String>>,
        /// `https://…`; asked with the digest. It answers `{"answer": "good"}`, or `bad` or `unknown`.
        url: At<String>,
        /// A file of certificates (PEM) to trust for `url`, instead of the usual ones.
        ca: At<String>,
        /// No answer after this long means no; 5s when not said.
        timeout: Lasting,
        /// An answer holds this long for the same content; 1d when not said.
        cache: Lasting,
    }
}
