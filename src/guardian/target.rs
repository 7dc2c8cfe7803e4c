//! What a request asks for and what a lease gives: a place in the view, a host on the way out, or what is sent to one.

use super::ceiling::Actions;
use crate::base::InnerPath;
use crate::wire::consent::Object;
use crate::wire::session::Given;
use crate::wire::subject::{Action, Resource};
use crate::wire::upload::Upload;
use std::os::fd::OwnedFd;

/// What a request is about.
#[derive(Debug)]
pub(super) enum Target {
    /// A file or folder.
    Place(Box<AskedPlace>),
    /// A host.
    Host(Host),
    /// What is sent to one.
    Upload(Box<Sent>),
}

/// What is sent to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The host.
    pub to: Host,
    /// What.
    pub upload: Upload,
}

impl Sent {
    /// As the person and the records see it.
    pub fn resource(&self) -> Resource {
        Resource::Upload { host: self.to.name.clone(), port: self.to.port }
    }

    /// The one thing that is done with it.
    pub(super) fn actions() -> Actions {
        Actions::of(&[Action::Upload])
    }
}

/// A file or folder that is asked for.
#[derive(Debug)]
pub(super) struct AskedPlace {
    pub(super) path: InnerPath,
    pub(super) given: Given,
    /// The object, pinned from now until the act.
    pub(super) pinned: OwnedFd,
    pub(super) object: Object,
}

/// A host, by the name the agent uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// A name in lower case, or an address.
    pub name: String,
    /// The TCP port.
    pub port: u16,
}

impl Host {
    /// As the person and the records see it.
    pub fn resource(&self) -> Resource {
        Resource::Host { host: self.name.clone(), port: self.port }
    }

    /// The one thing that is done to a host.
    pub(super) fn actions() -> Actions {
        Actions::of(&[Action::Connect])
    }
}

impl Target {
    pub(super) fn place(&self) -> Option<&AskedPlace> {
        match self {
            Self::Place(place) => Some(place),
            Self::Host(_) | Self::Upload(_) => None,
        }
    }

    /// What would be sent.
    pub(super) fn upload(&self) -> Option<&Upload> {
        match self {
            Self::Upload(sent) => Some(&sent.upload),
            Self::Place(_) | Self::Host(_) => None,
        }
    }

    pub(super) fn place_mut(&mut self) -> Option<&mut AskedPlace> {
        match self {
            Self::Place(place) => Some(place),
            Self::Host(_) | Self::Upload(_) => None,
        }
    }

    /// How it would be given.
    pub(super) fn given(&self) -> Given {
        self.place().map_or(Given::Act, |place| place.given)
    }
}

/// What a lease gives.
#[derive(Debug)]
pub enum Held {
    /// A file or folder.
    Place(Box<HeldPlace>),
    /// A host; role `egress` lets connections to it out.
    Host(Host),
    /// What is sent to one; role `egress` lets it out.
    Upload(Box<Sent>),
}

/// A file or folder that was given.
#[derive(Debug)]
pub struct HeldPlace {
    /// The path it is for.
    pub path: InnerPath,
    /// How it was given.
    pub given: Given,
    /// The object at `path`, pinned since the request (O_PATH); its parent folder where it was not there yet.
    pub object: OwnedFd,
    /// The same through the mount that gives it, with that mount's attributes: the only way in for a mounted lease.
    pub shown: Option<OwnedFd>,
    /// Its canonical path on the host.
    pub host: String,
}
