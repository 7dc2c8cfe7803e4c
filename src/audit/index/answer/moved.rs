//! Where data went: bytes by host, what was found in them, and which sensitive thing was open just before.
//!
//! Never claims more than was seen: near in time is near in time.

use super::{Index, Named, Part, most, runs::time};
use crate::audit::index::facts::{FOUND_CONTENT, FOUND_RULE};
use crate::audit::index::{Fault, Kind};
use rusqlite::params;
use serde::Serialize;

/// How long after something sensitive was read a sending counts as near, microseconds.
const NEAR: i64 = 60_000_000;
/// The most events that are compared for nearness.
const MOST_EVENTS: usize = 20_000;
/// The most sensitive things that are named for one host.
const MOST_NEAR: usize = 4;

/// Something sensitive that was open when data left, or shortly before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Closeness {
    /// What.
    pub name: String,
    /// How sensitive.
    pub label: String,
    /// Seconds from the last access to the sending; 0 while a lease of it held.
    pub seconds: u64,
}

/// What went to one host in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedRow {
    /// The run; `None` for all of them together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Host and port.
    pub host: String,
    /// Bytes to it.
    pub sent: u64,
    /// Bytes from it.
    pub received: u64,
    /// Connections and requests that were let out.
    pub allowed: u64,
    /// Attempts that were refused.
    pub denied: u64,
    /// What was found in what left, or was about to, by kind.
    pub found: Vec<Named>,
    /// A rule found something.
    pub by_rule: bool,
    /// The content of something known was in it.
    pub by_content: bool,
    /// What was open near in time.
    pub near: Vec<Closeness>,
    /// The first and the last leaf; of all runs together, those of no use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaves: Option<(u64, u64)>,
    /// When the first and the last of them were written.
    pub times: (String, String),
}

/// Where data went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Most bytes first.
    #[serde(flatten)]
    pub rows: Part<MovedRow>,
    /// Bytes sent in all.
    pub sent: u64,
    /// Bytes received in all.
    pub received: u64,
}

const SUMS: &str = "CAST(total(sent) AS INTEGER), CAST(total(received) AS INTEGER)";
const HOSTS: &str = "FROM roll JOIN obj ON obj.id = roll.obj WHERE obj.kind = 2";

impl Index {
    /// Where the data of one run went.
    /// # Errors
    /// As [`ask`](crate::audit::index::ask).
    pub fn moved_of_run(&self, run: &str, limit: usize) -> Result<Moved, Fault> {
        let Some(row) = self.run(run)? else { return Ok(Moved::default()) };
        let mut query = self.db.prepare(&format!(
            "SELECT roll.obj {HOSTS} AND run = ?1 ORDER BY sent DESC, denied DESC, first LIMIT ?2"
        ))?;
        let hosts: Vec<i64> =
            query.query_map(params![row.id, most(limit)], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let open = self.sensitive(row.id)?;
        let told = hosts.iter().map(|host| self.moved_row(row.id, *host, &open)).collect::<Result<_, _>>()?;
        let (all, sent, received) =
            self.db.query_row(&format!("SELECT count(*), {SUMS} {HOSTS} AND run = ?1"), [row.id], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
            })?;
        let (sent, received) = (sent.cast_unsigned(), received.cast_unsigned());
        Ok(Moved { rows: Part { all: all.cast_unsigned(), told }, sent, received })
    }

    /// What went to hosts of this name, by run, the newest first. `*.` in front means every name below.
    /// # Errors
    /// As [`ask`](crate::audit::index::ask).
    pub fn moved_to(&self, host: &str, since: Option<i64>, limit: usize) -> Result<Moved, Fault> {
        let mut moved = Moved::default();
        let mut places = Vec::new();
        let mut query = self.db.prepare("SELECT id, text FROM obj WHERE kind = 2")?;
        let mut rows = query.query([])?;
        let mut lines =
            self.db.prepare("SELECT run, sent, received, until FROM roll WHERE obj = ?1 AND until >= ?2")?;
        while let Some(row) = rows.next()? {
            if !is_host(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?, host) {
                continue;
            }
            let object: i64 = row.get(0)?;
            let mut found = lines.query(params![object, since.unwrap_or(i64::MIN)])?;
            while let Some(line) = found.next()? {
                moved.sent = moved.sent.saturating_add(line.get::<_, i64>(1)?.cast_unsigned());
                moved.received = moved.received.saturating_add(line.get::<_, i64>(2)?.cast_unsigned());
                places.push((line.get::<_, i64>(3)?, line.get::<_, i64>(0)?, object));
            }
        }
        places.sort_unstable_by(|one, other| other.cmp(one));
        moved.rows.all = places.len() as u64;
        for (_, run, object) in places.into_iter().take(limit) {
            let open = self.sensitive(run)?;
            moved.rows.told.push(self.moved_row(run, object, &open)?);
        }
        Ok(moved)
    }

    /// Every host with what all runs together sent there, most first.
    /// # Errors
    /// As [`ask`](crate::audit::index::ask).
    pub fn moved_in_all(&self, since: Option<i64>, limit: usize) -> Result<Moved, Fault> {
        let since = since.unwrap_or(i64::MIN);
        let from = format!("{HOSTS} AND roll.until >= ?1");
        let mut query = self.db.prepare(&format!(
            "SELECT obj.text, {SUMS}, CAST(total(seen) AS INTEGER), CAST(total(denied) AS INTEGER), \
             max(found & {FOUND_RULE}), max(found & {FOUND_CONTENT}), min(since), max(until), obj.id {from} \
             GROUP BY roll.obj ORDER BY 2 DESC, 5 DESC, obj.text LIMIT ?2"
        ))?;
        let mut rows = query.query(params![since, most(limit)])?;
        let mut moved = Moved::default();
        while let Some(row) = rows.next()? {
            let number = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
            moved.rows.told.push(MovedRow {
                run: None,
                host: row.get(0)?,
                sent: number(1)?,
                received: number(2)?,
                allowed: number(3)?,
                denied: number(4)?,
                found: Vec::new(),
                by_rule: number(5)? > 0,
                by_content: number(6)? > 0,
                near: Vec::new(),
                leaves: None,
                times: (time(row.get(7)?), time(row.get(8)?)),
            });
        }
        let all = self.db.query_row(
            &format!("SELECT count(DISTINCT roll.obj), {SUMS} {from}"),
            [since],
            |row| Ok([row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?]),
        )?;
        [moved.rows.all, moved.sent, moved.received] = all.map(i64::cast_unsigned);
        Ok(moved)
    }

    fn moved_row(&self, run: i64, object: i64, open: &[Open]) -> Result<MovedRow, Fault> {
        let mut row = self.db.query_row(
            "SELECT run.name, obj.text, sent, received, seen, denied, found, first, last, since, until FROM roll \
             JOIN run ON run.id = roll.run JOIN obj ON obj.id = roll.obj WHERE roll.run = ?1 AND roll.obj = ?2",
            [run, object],
            |row| {
                let number = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
                let found: i64 = row.get(6)?;
                Ok(MovedRow {
                    run: Some(row.get(0)?),
                    host: row.get(1)?,
                    sent: number(2)?,
                    received: number(3)?,
                    allowed: number(4)?,
                    denied: number(5)?,
                    found: Vec::new(),
                    by_rule: found & FOUND_RULE != 0,
                    by_content: found & FOUND_CONTENT != 0,
                    near: Vec::new(),
                    leaves: Some((number(7)?, number(8)?)),
                    times: (time(row.get(9)?), time(row.get(10)?)),
                })
            },
        )?;
        let mut query = self.db.prepare(
            "SELECT what.text, n FROM found JOIN obj what ON what.id = found.what WHERE run = ?1 AND found.obj = ?2 \
             ORDER BY n DESC LIMIT 32",
        )?;
        let named = |row: &rusqlite::Row<'_>| {
            Ok(Named { kind: Some(Kind::Finding), name: row.get(0)?, count: row.get(1)? })
        };
        row.found = query.query_map([run, object], named)?.collect::<Result<_, _>>()?;
        if !open.is_empty() {
            row.near = self.near(run, object, open)?;
        }
        Ok(row)
    }

    /// When sensitive things were open: a lease from its grant to its end, a file when it was touched.
    fn sensitive(&self, run: i64) -> Result<Vec<Open>, Fault> {
        let mut query = self.db.prepare(
            "SELECT ts, said, event.text, obj.id, obj.text, label.text FROM ev JOIN obj ON obj.id = ev.obj \
             JOIN obj label ON label.id = ev.label JOIN obj event ON event.id = ev.event \
             WHERE run = ?1 AND ev.label IS NOT NULL ORDER BY ts, idx LIMIT ?2",
        )?;
        let mut rows = query.query(params![run, most(MOST_EVENTS)])?;
        let mut open: Vec<Open> = Vec::new();
        while let Some(row) = rows.next()? {
            let (ts, said, object): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(3)?);
            let event: String = row.get(2)?;
            match (said, event.as_str()) {
                (2, _) | (3, _) => open.push(Open {
                    object,
                    name: row.get(4)?,
                    label: row.get(5)?,
                    from: ts,
                    to: if said == 2 { i64::MAX } else { ts },
                }),
                (_, "revoke") => {
                    if let Some(lease) =
                        open.iter_mut().rfind(|open| open.object == object && open.to == i64::MAX)
                    {
                        lease.to = ts;
                    }
                }
                _ => {}
            }
        }
        Ok(open)
    }

    fn near(&self, run: i64, host: i64, open: &[Open]) -> Result<Vec<Closeness>, Fault> {
        let mut query = self
            .db
            .prepare("SELECT ts FROM ev WHERE run = ?1 AND sent > 0 AND obj = ?2 ORDER BY ts LIMIT ?3")?;
        let sendings: Vec<i64> = query
            .query_map(params![run, host, most(MOST_EVENTS)], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut near: Vec<Closeness> = Vec::new();
        for thing in open {
            // The first sending that is not before it decides: later ones are further away.
            let place = sendings.partition_point(|sent| *sent < thing.from);
            let Some(sent) = sendings.get(place) else { continue };
            let after = sent.saturating_sub(thing.to).max(0);
            if after > NEAR {
                continue;
            }
            let seconds = after.cast_unsigned() / 1_000_000;
            if let Some(known) = near.iter_mut().find(|known| known.name == thing.name) {
                known.seconds = known.seconds.min(seconds);
            } else if near.len() < MOST_NEAR {
                near.push(Closeness { name: thing.name.clone(), label: thing.label.clone(), seconds });
            }
        }
        Ok(near)
    }
}

/// Something sensitive, and from when to when it was open.
#[derive(Debug)]
struct Open {
    object: i64,
    name: String,
    label: String,
    from: i64,
    to: i64,
}

/// Whether a host of the dictionary, with or without its port, is the one that is meant.
fn is_host(known: &str, meant: &str) -> bool {
    let bare = known.rsplit_once(':').map_or(known, |(host, _)| host);
    match meant.strip_prefix("*.") {
        Some(parent) => {
            let tail = |host: &str| {
                host.len() > parent.len() + 1
                    && host
                        .get(host.len() - parent.len()..)
                        .is_some_and(|end| end.eq_ignore_ascii_case(parent))
                    && host.as_bytes().get(host.len() - parent.len() - 1) == Some(&b'.')
            };
            tail(bare)
        }
        None => known.eq_ignore_ascii_case(meant) || bare.eq_ignore_ascii_case(meant),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_meant_by_its_name_with_or_without_its_port_or_by_a_name_above() {
        for (known, meant, is) in [
            ("api.example.com:443", "api.example.com", true),
            ("api.example.com:443", "API.example.com:443", true),
            ("api.example.com:443", "api.example.com:80", false),
            ("api.example.com:443", "example.com", false),
            ("api.example.com:443", "*.example.com", true),
            ("example.com:443", "*.example.com", false),
            ("badexample.com:443", "*.example.com", false),
            ("::1:443", "::1", true),
            ("lookup.test", "lookup.test", true),
            ("\u{e9}.test", "*.t", false),
        ] {
            assert_eq!(is_host(known, meant), is, "{known} {meant}");
        }
    }
}
