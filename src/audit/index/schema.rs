//! The tables of the index, and how a file is known to be one of ours.
//!
//! Never holds a value that came from a log: those are bound parameters, wherever one is used.

/// Counts up with every change of the tables or of what is put in them; an index of another version is made anew.
pub(super) const VERSION: i32 = 3;
/// "AISI", in the head of the file.
pub(super) const APPLICATION: i32 = 0x4149_5349;

/// Every table and index. What a file has must be these, letter by letter.
///
/// `obj` is a dictionary: each path, host, program and word stands there once. `ev` has a row for each leaf, `roll` one
/// for each object of a run with what came of it, so that a question about years reads no events.
pub(super) const TABLES: &[&str] = &[
    "CREATE TABLE run(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, stamp BLOB, start BLOB, \
     leaves INTEGER NOT NULL DEFAULT 0, verdict TEXT, checked INTEGER, began INTEGER, ended INTEGER, \
     about TEXT NOT NULL DEFAULT '{}')",
    "CREATE TABLE obj(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, text TEXT NOT NULL, UNIQUE(kind, text))",
    "CREATE TABLE ev(run INTEGER NOT NULL, idx INTEGER NOT NULL, ts INTEGER NOT NULL, event INTEGER NOT NULL, \
     said INTEGER NOT NULL, acts INTEGER NOT NULL, obj INTEGER, actor INTEGER, pid INTEGER NOT NULL, \
     n INTEGER NOT NULL, sent INTEGER NOT NULL, received INTEGER NOT NULL, reason INTEGER, by INTEGER, \
     label INTEGER, found INTEGER NOT NULL, PRIMARY KEY(run, idx)) WITHOUT ROWID",
    "CREATE INDEX ev_denied ON ev(run) WHERE said = 4",
    "CREATE INDEX ev_granted ON ev(run) WHERE said = 2",
    "CREATE INDEX ev_label ON ev(run, ts) WHERE label IS NOT NULL",
    "CREATE INDEX ev_sent ON ev(run, ts) WHERE sent > 0",
    "CREATE TABLE roll(run INTEGER NOT NULL, obj INTEGER NOT NULL, leaves INTEGER NOT NULL, asked INTEGER NOT NULL, \
     granted INTEGER NOT NULL, seen INTEGER NOT NULL, denied INTEGER NOT NULL, other INTEGER NOT NULL, \
     acts_granted INTEGER NOT NULL, acts_seen INTEGER NOT NULL, acts_denied INTEGER NOT NULL, \
     sent INTEGER NOT NULL, received INTEGER NOT NULL, label INTEGER, found INTEGER NOT NULL, \
     first INTEGER NOT NULL, last INTEGER NOT NULL, refused INTEGER, since INTEGER NOT NULL, \
     until INTEGER NOT NULL, PRIMARY KEY(run, obj)) WITHOUT ROWID",
    "CREATE INDEX roll_by_obj ON roll(obj, run, leaves, asked, granted, seen, denied, acts_granted, \
     acts_seen, acts_denied, sent, received, label, found, first, last, since, until)",
    "CREATE TABLE ref(id TEXT NOT NULL COLLATE NOCASE, run INTEGER NOT NULL, idx INTEGER NOT NULL, \
     PRIMARY KEY(id, run, idx)) WITHOUT ROWID",
    "CREATE INDEX ref_by_leaf ON ref(run, idx)",
    "CREATE TABLE found(run INTEGER NOT NULL, obj INTEGER NOT NULL, what INTEGER NOT NULL, n INTEGER NOT NULL, \
     first INTEGER NOT NULL, PRIMARY KEY(run, obj, what)) WITHOUT ROWID",
    "CREATE TABLE flow(run INTEGER NOT NULL, flow INTEGER NOT NULL, sent INTEGER NOT NULL, \
     received INTEGER NOT NULL, PRIMARY KEY(run, flow)) WITHOUT ROWID",
    "CREATE TABLE lease(run INTEGER NOT NULL, id TEXT NOT NULL, obj INTEGER, label INTEGER, \
     PRIMARY KEY(run, id)) WITHOUT ROWID",
];
