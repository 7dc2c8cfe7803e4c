//! The file of the index: opened only when it is ours and has our tables, else made anew.
//!
//! Never trusts what is in it: no trigger, no view, no function of a file runs. Only one process at a time writes, and
//! none has the file open while another removes it.

use super::schema::{APPLICATION, TABLES, VERSION};
use crate::audit::AuditError;
use crate::audit::private::open_private;
use crate::sys::Errno;
use crate::sys::file::{openat, unlinkat};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::ffi::CStr;
use std::fs::{File, TryLockError};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const FILE: &CStr = c"index.sqlite";
const JOURNAL: &CStr = c"index.sqlite-journal";
const LOCK: &CStr = c"index.lock";

/// Why a question to the index has no answer.
#[derive(Debug)]
pub enum Fault {
    /// The file is damaged, or not what we write: it is made anew.
    Broken(String),
    /// It could not be read.
    Failed(String),
    /// It could not be written: the disk is full or not to be written to.
    Unwritable(String),
    /// A log or a folder could not be read.
    Audit(AuditError),
}

impl From<AuditError> for Fault {
    fn from(error: AuditError) -> Self {
        Self::Audit(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, QueryReturnedNoRows,
            Utf8Error,
        };
        let why = error.to_string();
        match (error.sqlite_error_code(), error) {
            (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::SchemaChanged), _)
            | (
                _,
                FromSqlConversionFailure(..)
                | IntegralValueOutOfRange(..)
                | InvalidColumnType(..)
                | Utf8Error(..)
                | QueryReturnedNoRows,
            ) => Self::Broken(why),
            (
                Some(
                    ErrorCode::DiskFull
                    | ErrorCode::ReadOnly
                    | ErrorCode::CannotOpen
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::PermissionDenied,
                ),
                _,
            ) => Self::Unwritable(why),
            _ => Self::Failed(why),
        }
    }
}

/// The folder of the index, and its lock.
#[derive(Debug)]
pub(super) struct Place {
    folder: File,
    path: PathBuf,
    lock: File,
}

impl Place {
    /// In this folder, which must be the caller's own.
    /// # Errors
    /// When it is not, or nothing can be written there.
    pub(super) fn open(state: &Path) -> Result<Self, AuditError> {
        let folder = open_private(state)?;
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let lock = openat(folder.as_fd(), LOCK, flags, 0o600).map(File::from);
        let lock = lock.map_err(|errno| failed(state, errno))?;
        Ok(Self { folder, path: state.to_owned(), lock })
    }

    /// Waits until nobody writes; `wait` is called once when that takes time.
    pub(super) fn lock_shared(&self) -> Result<(), AuditError> {
        self.lock.lock_shared().map_err(|error| AuditError::io("lock the index in", &self.path, &error))
    }

    /// Waits until nobody reads or writes; `wait` is called when somebody does.
    pub(super) fn lock_alone(&self, wait: &mut dyn FnMut()) -> Result<(), AuditError> {
        let io = |error| AuditError::io("lock the index in", &self.path, &error);
        match self.lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(io(error)),
            Err(TryLockError::WouldBlock) => wait(),
        }
        self.lock.lock().map_err(io)
    }

    /// The index as it is; `None` where there is none. The lock is held.
    pub(super) fn existing(&self) -> Result<Option<Connection>, Fault> {
        let flags = libc::O_RDWR | libc::O_NOFOLLOW | libc::O_NONBLOCK;
        match openat(self.folder.as_fd(), FILE, flags, 0) {
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP) => return Err(Fault::Broken("it is a link".to_owned())),
            Err(errno) => return Err(failed(&self.path, errno).into()),
            Ok(file) => self.check_own(&File::from(file))?,
        }
        let db = self.connect()?;
        check_tables(&db)?;
        Ok(Some(db))
    }

    /// The index, made where there is none. The lock is held alone.
    pub(super) fn make(&self) -> Result<Connection, Fault> {
        if let Some(db) = self.existing()? {
            return Ok(db);
        }
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
        let made = openat(self.folder.as_fd(), FILE, flags, 0o600);
        made.map_err(|errno| Fault::from(failed(&self.path, errno)))?;
        let db = self.connect()?;
        make_tables(&db)?;
        Ok(db)
    }

    /// Removes the index. The lock is held alone.
    pub(super) fn discard(&self) -> Result<(), AuditError> {
        for name in [JOURNAL, FILE] {
            match unlinkat(self.folder.as_fd(), name, false) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(failed(&self.path, errno)),
            }
        }
        Ok(())
    }

    fn check_own(&self, file: &File) -> Result<(), Fault> {
        let facts =
            file.metadata().map_err(|error| AuditError::io("look at the index in", &self.path, &error))?;
        let own = facts.is_file()
            && facts.uid() == nix::unistd::geteuid().as_raw()
            && facts.nlink() == 1
            && facts.mode() & 0o077 == 0;
        if own { Ok(()) } else { Err(Fault::Broken("it is not the caller's alone".to_owned())) }
    }

    /// The folder is the caller's alone, so the name leads to the file that was looked at.
    fn connect(&self) -> Result<Connection, Fault> {
        use std::os::unix::ffi::OsStrExt;
        let name = std::ffi::OsStr::from_bytes(FILE.to_bytes());
        let path = std::path::absolute(self.path.join(name))
            .map_err(|error| AuditError::io("find the index in", &self.path, &error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        tame(&db)?;
        db.execute_batch("PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = NORMAL")?;
        Ok(db)
    }
}

fn failed(path: &Path, errno: Errno) -> AuditError {
    AuditError::Io { what: "open the index in", path: path.to_owned(), errno }
}

/// An index that is gone with the process.
pub(super) fn in_memory() -> Result<Connection, Fault> {
    let db = Connection::open_in_memory()?;
    tame(&db)?;
    make_tables(&db)?;
    Ok(db)
}

/// Nothing that stands in a file may act, and what is deleted is overwritten: a name that was withheld is gone here too.
fn tame(db: &Connection) -> Result<(), Fault> {
    for (switch, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    ] {
        db.set_db_config(switch, on)?;
    }
    db.execute_batch(
        "PRAGMA secure_delete = ON; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY; \
         PRAGMA cache_size = -65536",
    )?;
    Ok(())
}

fn make_tables(db: &Connection) -> Result<(), Fault> {
    let all = TABLES.join("; ");
    let numbers = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}");
    db.execute_batch(&format!("BEGIN; {all}; {numbers}; COMMIT"))?;
    Ok(())
}

fn check_tables(db: &Connection) -> Result<(), Fault> {
    let number = |name: &str| db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0));
    if (number("application_id")?, number("user_version")?) != (APPLICATION, VERSION) {
        return Err(Fault::Broken("it is of another version".to_owned()));
    }
    let mut query = db.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")?;
    let found: Vec<String> = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    if found == TABLES { Ok(()) } else { Err(Fault::Broken("its tables are others".to_owned())) }
}
