//! plan
mod bpf;
mod dispatch;
mod filter;
mod filter_text;
mod trap;

pub use bpf::{CallData, Decision, MAX_INSTRUCTIONS, Program, decide};
pub use filter::{FilterError, compile};
pub use filter_text::disassemble;
pub use trap::trap_filter;
