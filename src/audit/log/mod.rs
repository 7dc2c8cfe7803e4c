//! The log: one for each run, of signed blocks of leaves, and one of the device that joins the runs.
//!
//! Never decides what is worth a record, never says that something is kept which is not, and never lets a key outlive
//! the epoch it signs. The way of reading shares with the way of writing only hashes, notes and the layout of a block.

mod batch;
mod block;
mod cosign;
mod custody;
mod device;
mod device_log;
mod epoch;
mod excerpt;
mod hex;
mod join;
mod judge;
mod key_file;
mod keys;
mod leaf;
mod ledger;
mod merkle;
mod note;
mod openings;
mod pack;
mod proof;
mod queue;
mod reader;
mod recover;
mod sd;
mod segment;
mod split;
mod stored;
#[cfg(test)]
mod theft_tests;
mod verdict;
mod walk;
mod watch;
mod withhold;
mod witness;
mod writer;

pub use batch::Batch;
pub use cosign::{Cosigner, Witness};
pub use custody::{Custody, Redaction, Why, held_by, known as devices_of};
pub use device::{Cert, Place, Step};
pub use device_log::{Dated, DeviceLog, Known, Read, note_read, read as read_device};
pub use excerpt::{Excerpt, Kept, Opened, excerpt, whole};
pub use hex::Hex;
pub use join::{Opening, Openings};
pub use judge::{Judge, Judged, cosigned_path};
pub(in crate::audit) use leaf::encode;
pub(crate) use leaf::{CUTS, shorten};
pub use leaf::{Cut, Encoded, Leaf, MOST_BYTES, NextKey, Own, Start, encode_event, typed};
pub(in crate::audit) use ledger::Before;
pub use ledger::{Ending, Entry, Reading};
pub(crate) use merkle::leaf_hash;
pub use openings::RedactionId;
pub use pack::{Packed, pack};
pub use proof::{Proven, check as check_proof, prove};
pub use queue::SharedLog;
pub use reader::{Follow, Found, Signed, State, Verdict, Whole, goes_on, read, verify, verify_bytes};
pub use sd::Salted;
pub(in crate::audit) use stored::is_there;
pub use stored::{segment_from, segments};
pub use watch::{Fed, Feed, Handed, lines};
pub use withhold::{NotNow, Withholding, matching};
pub use witness::{Cosigned, MOST_SUBMISSION, Refused, Submission, checkpoint};
pub use writer::{Log, Turn};
