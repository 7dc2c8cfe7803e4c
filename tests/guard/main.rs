//! The guard on a real kernel: an agent under the trap filter, and the guard doing its creating calls.

mod attacks;
mod cost;
mod differential;
mod harness;
mod programs;
mod protection;
