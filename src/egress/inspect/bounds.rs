//! Bounds of HTTP that either side of a read connection is held to. Each is said, so that no version of a library changes
//! one unseen; what goes beyond ends its connection, or waits.

use hyper::client::conn::http2 as client;
use hyper::server::conn::http2 as server;
use std::time::Duration;

/// The most bytes of a head.
pub(super) const MOST_HEAD: usize = 64 << 10;
/// The most headers of a head.
pub(super) const MOST_HEADERS: usize = 128;
/// Bytes of HTTP/1 that wait for each other.
pub(super) const MOST_BUFFER: usize = 4 * MOST_HEAD;
/// Bytes of one stream and of one connection of HTTP/2 that may be on their way.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Bytes of one frame of HTTP/2.
const STREAM_FRAME: u32 = 64 << 10;
/// Bytes of HPACK's table.
const TABLE: u32 = 4 << 10;
/// Streams at one time that an agent may have. A host has none: it is told that nothing is to be pushed.
const MOST_STREAMS: u32 = 128;
/// Streams that a peer took back before they were looked at (CVE-2023-44487), and that we took back for its mistakes
/// (CVE-2025-8671): one more ends the connection.
const MOST_TAKEN_BACK: usize = 20;
const MOST_MISTAKES: usize = 256;
/// Streams that are remembered after we took them back.
const MOST_REMEMBERED: usize = 64;
/// Between two questions whether the peer is there, and how long it has to answer.
const ALIVE: Duration = Duration::from_secs(60);
const ANSWERS: Duration = Duration::from_secs(20);

/// Bounds for an agent.
pub(super) fn of_agent<E: Clone>(builder: &mut server::Builder<E>) {
    builder
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(STREAM_FRAME)
        .header_table_size(TABLE)
        .max_header_list_size(MOST_HEAD as u32)
        .max_concurrent_streams(MOST_STREAMS)
        .max_pending_accept_reset_streams(MOST_TAKEN_BACK)
        .max_local_error_reset_streams(MOST_MISTAKES)
        .max_send_buf_size(STREAM_WINDOW as usize)
        .keep_alive_interval(ALIVE)
        .keep_alive_timeout(ANSWERS);
}

/// Bounds for a host.
pub(super) fn of_host<E: Clone>(builder: &mut client::Builder<E>) {
    builder
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(STREAM_FRAME)
        .header_table_size(TABLE)
        .max_header_list_size(MOST_HEAD as u32)
        .max_concurrent_reset_streams(MOST_REMEMBERED)
        .max_pending_accept_reset_streams(MOST_TAKEN_BACK)
        .max_local_error_reset_streams(MOST_MISTAKES)
        .max_send_buf_size(STREAM_WINDOW as usize)
        .keep_alive_interval(ALIVE)
        .keep_alive_timeout(ANSWERS);
}
