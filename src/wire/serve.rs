//! `audit serve` and its confined half: what is served, and each reading before it is answered.

use serde::{Deserialize, Serialize};

/// To the half that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToServer {
    /// The first message. Its descriptors, as far as they are said to be there: a listener of the local socket, a listener
    /// of TCP, then the files of TLS: certificates, key, authorities of clients, roles of clients.
    Begin {
        /// The folder of the logs.
        runs: String,
        /// The home folder, which names are shortened by.
        home: Option<String>,
        /// There is a local socket.
        local: bool,
        /// There are a listener of TCP and the files of TLS.
        tls: bool,
    },
    /// A reading is recorded.
    Noted {},
    /// It could not be.
    NotNoted {
        /// Why.
        why: String,
    },
}

/// From the half that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromServer {
    /// It serves.
    Ready {},
    /// It cannot, and ends.
    Failed {
        /// Why.
        why: String,
    },
    /// Records are about to be handed out; nothing goes before the answer.
    Note {
        /// The client by its certificate; none on the local socket.
        client: Option<String>,
        /// The client's user on the local socket.
        uid: Option<u32>,
        /// The client's role.
        role: String,
        /// What was asked for.
        form: String,
        /// The runs; the first of many.
        runs: Vec<String>,
        /// How many runs in all.
        all: u64,
    },
}
