//! The half that serves, from its first message to its end.

use super::link::Link;
use super::rate::Rate;
use super::roles::Roles;
use super::{Api, Words};
use crate::server::http::Hall;
use crate::server::tls::Tls;
use crate::sys::{Errno, socket};
use crate::wire::codec::{MOST_BYTES, decode};
use crate::wire::serve::{FromServer, ToServer};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// The most bytes of a file of TLS or of roles.
const MOST_FILE: u64 = 1 << 20;

/// What the first message said.
struct Begun {
    api: Api,
    local: Option<OwnedFd>,
    tls: Option<(OwnedFd, Tls)>,
}

/// Serves until the socket of the half that records closes; gives the exit code.
pub fn serve(socket: OwnedFd, words: Words) -> u8 {
    let mut buffer = vec![0; MOST_BYTES];
    let Ok((length, descriptors)) = socket::receive_with(socket.as_fd(), &mut buffer, true) else {
        return 125;
    };
    let link = Link::new(socket);
    let begun = begin(buffer.get(..length).unwrap_or_default(), descriptors);
    let (runs, home, local, tls, roles) = match begun {
        Ok(begun) => begun,
        Err(why) => {
            drop(link.tell(&FromServer::Failed { why }));
            return 125;
        }
    };
    let api = Api { runs, home, words, roles, rate: Rate::default(), link };
    match run(Begun { api, local, tls }) {
        Ok(()) => 0,
        Err(error) => {
            tracing::debug!("audit serve: {error}");
            125
        }
    }
}

/// The folder of the logs, the home, the listeners, and who has which role.
type Said = (PathBuf, Option<String>, Option<OwnedFd>, Option<(OwnedFd, Tls)>, Roles);

fn begin(bytes: &[u8], descriptors: Vec<OwnedFd>) -> Result<Said, String> {
    let (runs, home, local, tls) = match decode(bytes) {
        Ok(ToServer::Begin { runs, home, local, tls }) => (runs, home, local, tls),
        Ok(_) => return Err("its first message is another".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    let mut given = descriptors.into_iter();
    let mut next = || given.next().ok_or_else(|| "a descriptor is missing".to_owned());
    let local = if local { Some(next()?) } else { None };
    if !tls {
        return Ok((PathBuf::from(runs), home, local, None, Roles::default()));
    }
    let listener = next()?;
    let (chain, key, authorities) = (content(next()?)?, Zeroizing::new(content(next()?)?), content(next()?)?);
    let lines = String::from_utf8(content(next()?)?).map_err(|_| "the roles are no text")?;
    let roles = Roles::read(&lines).map_err(|why| format!("the roles: {why}"))?;
    let tls = Tls::new(&chain, &key, &authorities, roles.names())?;
    Ok((PathBuf::from(runs), home, local, Some((listener, tls)), roles))
}

/// All of a file that was handed over.
fn content(file: OwnedFd) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = std::fs::File::from(file).take(MOST_FILE).read_to_end(&mut bytes);
    read.map(|_| bytes).map_err(|error| format!("read a file: {error}"))
}

fn run(begun: Begun) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(crate::server::http::HANDS)
        .build()?;
    runtime.block_on(async {
        begun.api.link.tell(&FromServer::Ready {}).map_err(|_| io::Error::from(Errno::EPIPE))?;
        let hall = Hall::new(begun.api);
        let far = begun.tls.map(|(listener, tls)| tokio::spawn(hall.clone().certified(listener, tls)));
        match begun.local {
            Some(listener) => hall.local(listener).await,
            None => match far {
                Some(far) => far.await.unwrap_or_else(|_| Err(io::ErrorKind::Other.into())),
                None => Err(io::ErrorKind::NotConnected.into()),
            },
        }
    })
}
