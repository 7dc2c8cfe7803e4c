//! bind: the one call that makes a name from an address. Init binds the caller's own socket, from inside the folder
//! the path leads to, so that the name that was judged is the name that is made.
//!
//! Addresses that name no file (TCP, UDP, netlink, abstract) are bound as they were read. A socket bound this way says
//! its last component when it is asked for its name (getsockname(2)).

use super::entry::judge;
use super::resolve::From;
use super::table::Making;
use super::text::PathText;
use super::{Done, Outcome, Request};
use crate::launch::observed::Act;
use crate::sys::{Errno, file, peer, process};
use std::os::fd::AsFd;

/// Where sun_path begins in sockaddr_un (unix(7)).
const PATH_AT: usize = 2;

pub(super) fn bind(request: &mut Request<'_>, socket: i32, address: u64, length: u64) -> Outcome {
    let socket = request.target.socket(socket)?;
    let mut room = [0u8; peer::MOST_ADDRESS];
    let length = usize::try_from(length as u32 as i32).map_err(|_| Errno::EINVAL)?;
    let room = room.get_mut(..length).ok_or(Errno::EINVAL)?;
    request.target.memory(address, room)?;
    let path = room.get(PATH_AT..).unwrap_or_default();
    let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
    let named = peer::domain(socket.as_fd())? == libc::AF_UNIX && peer::family(room) == libc::AF_UNIX;
    if !named || path.is_empty() {
        request.check_waiting()?;
        peer::bind(socket.as_fd(), room)?;
        return Ok(Done::Value);
    }
    let place = request.place(From::Caller(libc::AT_FDCWD), &PathText::of_bytes(path)?)?;
    if place.is_in_proc()? {
        return Err(Errno::EACCES.into());
    }
    if place.is_dots() || place.wants_folder() {
        return Err(Errno::EADDRINUSE.into());
    }
    process::set_umask(request.target.umask()?);
    request.saw_name(Act::Create, &place);
    judge(request, &place, Making::Other)?;
    file::enter_folder(place.parent.as_fd())?;
    let bound = peer::bind_name(socket.as_fd(), place.bare());
    // Back: a folder that init stands in could not be unmounted.
    file::enter_folder_named(c"/")?;
    bound?;
    Ok(Done::Value)
}
