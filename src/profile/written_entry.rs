//! One entry of `filesystem` as it is written, with the words its keys know.
//!
//! Never fills in a default or a variable: `entry` does.

use super::decode::{At, mapping, words};
use super::units::{Bytes, Count, Lasting, Mode};
use super::values::Sha256;

mapping! {
    /// One place in the view.
    EntryKeys, required ["path", "access"] {
        /// Where it appears: absolute, `~/…` or with a variable ($HOME $PWD $USER $UID $XDG_…).
        path: At<String>,
        /// What is there.
        access: At<AccessWord>,
        /// The host's path, where it is another one. For ro, rw, dev, stage and ask.
        source: At<String>,
        /// The most a tmpfs can hold.
        size: At<Bytes>,
        /// Permission bits of a tmpfs.
        mode: At<Mode>,
        /// The text of a file.
        content: At<String>,
        /// Where a symlink leads.
        target: At<String>,
        /// What a person may be asked for. For ask.
        actions: At<Vec<ActionWord>>,
        /// How long a yes lasts; until the run ends when not said. For ask.
        lease: At<Lasting>,
        /// How often a yes can be used before the person is asked again. For ask.
        uses: At<Count>,
        /// The most bytes that are read and written under one yes. For ask.
        bytes: At<Bytes>,
        /// redact: what is read goes through rules first. For ask.
        transform: At<TransformWord>,
        /// Regular expressions whose matches are taken out when redacting; a built-in table when not said. For ask.
        rules: At<Vec<At<String>>>,
        /// Programs by the SHA-256 of their content: only these can be read and executed. For ask.
        programs: At<Vec<Sha256>>,
        /// What becomes of processes that still hold it when a yes ends; leave when not said. For ask.
        on_revoke: At<RevokeWord>,
        /// true: taking a yes back takes open files back too; every call costs more. For ask.
        revocable: At<bool>,
        /// Leave it out where the host has no such path.
        optional: At<bool>,
        /// Nothing in it can be executed.
        noexec: At<bool>,
        /// Groups (git, shell, editors, agents) or paths below, which cannot be changed or created. For rw and stage.
        protect: At<Vec<At<String>>>,
    }
}

words! {
    /// What stands at a path.
    AccessWord, "access" {
        "ro" => Ro,
        "rw" => Rw,
        "tmpfs" => Tmpfs,
        "dir" => Dir,
        "file" => File,
        "symlink" => Symlink,
        "mask" => Mask,
        "dev" => Dev,
        "devfs" => DevFs,
        "proc" => Proc,
        "stage" => Stage,
        "ask" => Ask,
    }
}

words! {
    /// What can be done with a file.
    ActionWord, "action" {
        "read" => Read,
        "append" => Append,
        "overwrite" => Overwrite,
        "create" => Create,
        "delete" => Delete,
        "execute" => Execute,
    }
}

words! {
    /// What happens to bytes on their way.
    TransformWord, "transform" {
        "redact" => Redact,
    }
}

words! {
    /// What becomes of processes that hold what was taken back.
    RevokeWord, "answer" {
        "leave" => Leave,
        "stop" => Stop,
        "kill" => Kill,
    }
}
