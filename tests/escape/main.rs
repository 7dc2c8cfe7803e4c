//! Escapes that were seen elsewhere, one file a family, each tried against the real binary as root and as an ordinary user.
//!
//! Every test has a control: the same attack works where the lock is not. Attackers are Python programs, because what
//! they do is one system call after the other.
//!
//! | attack | seen as | what stops it | file |
//! |---|---|---|---|
//! | typing into the terminal | CVE-2017-5226, CVE-2019-10063 | own pseudo-terminal; filter on 32 bits | terminal |
//! | a destination made on the host | CVE-2026-87766 | nothing is made below a host folder; no link is followed | destination |
//! | a folder swapped for a link | CVE-2018-15664, CVE-2021-30465 | the kernel's name of what was opened is compared | races |
//! | the launcher's program overwritten | CVE-2019-5736 | init is undumpable | launcher |
//! | a sandbox that outlives its launcher | | PDEATHSIG, end of the socket, pid namespace | launcher |
//! | leaked descriptors and folders | CVE-2024-21626, CVE-2016-9962 | close-on-exec; Landlock; init is undumpable | descriptors |
//! | nested namespaces | CVE-2022-0185, CVE-2023-32233 | max_user_namespaces and the filter | namespaces |
//! | mounting | CVE-2022-0492 | no capability; mounts of the outer user namespace; the filter | mounts |
//! | io_uring, keyrings, rare sockets | CVE-2022-29582, CVE-2016-0728, CVE-2017-7308 | the filter | kernel |
//! | calls of another table | CVE-2015-2830 | the filter ends the process | foreign |
//! | sockets of the host | CVE-2020-15257 | network namespace; Landlock scope; the view | sockets |
//! | other processes, init | CVE-2016-9962 | pid namespace; init is undumpable | processes |
//! | settings of the kernel in /proc | CVE-2022-0492 | read-only and masked parts of /proc | proc_files |
//! | second names and descriptors of a file | CVE-2019-5736 | mounts; Landlock | links |
//! | setuid programs, file capabilities | CVE-2021-4034 | no_new_privs, nosuid | elevation |
//! | device files | | no CAP_MKNOD; nodev | devices |
//! | programs in noexec places | | noexec; Landlock | execution |
//! | protected names | CVE-2025-53773, CVE-2025-54135 | read-only mounts and pins; the guard | protected |
//! | our own records and profiles | CVE-2025-53773 | the same; no profile of the folder by a plain name | settings |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends by panicking"
)]

mod attack;
mod descriptors;
mod destination;
mod devices;
mod elevation;
mod execution;
mod foreign;
mod kernel;
mod launcher;
mod links;
mod mounts;
mod namespaces;
mod proc_files;
mod processes;
mod protected;
mod races;
mod settings;
mod sockets;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
