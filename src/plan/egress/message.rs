//! Netlink messages as bytes: headers, attributes, and attributes in attributes (netlink(7)).
//!
//! Never sends anything.

/// The request is to be carried out.
const REQUEST: u16 = libc::NLM_F_REQUEST as u16;

/// Messages behind each other.
#[derive(Debug, Default)]
pub(super) struct Batch(Vec<u8>);

impl Batch {
    /// Adds a request: its kind and flags, the struct that it begins with, and its attributes.
    pub(super) fn request(&mut self, kind: u16, flags: u16, head: &[u8], attributes: Attributes) {
        let length = (16 + head.len() + attributes.0.len()) as u32;
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend((REQUEST | flags).to_ne_bytes());
        self.0.extend([0; 8]); // no number, and the kernel as the other side
        self.0.extend(head);
        self.0.extend(attributes.0);
    }

    /// The bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The attributes of a message, or of another attribute.
#[derive(Debug, Default)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    /// None yet.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// With one of these bytes.
    pub(super) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        self.0.extend((4 + value.len() as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// With a number in network order, as the packet filter wants it.
    pub(super) fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// With a number in the machine's order, as routes want it.
    pub(super) fn native(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// With a name.
    pub(super) fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// With attributes inside one.
    pub(super) fn nested(self, kind: u16, inner: Self) -> Self {
        const NESTED: u16 = 0x8000;
        self.bytes(kind | NESTED, &inner.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::netlink;

    #[test]
    fn a_request_is_read_back_as_it_was_written() {
        let mut batch = Batch::default();
        let inner = Attributes::new().text(1, "abc").number(2, 7);
        batch.request(20, 4, &[9; 8], Attributes::new().bytes(3, &[1]).nested(4, inner));
        batch.request(21, 0, &[], Attributes::new());
        let bytes = batch.into_bytes();
        let found: Vec<_> = netlink::messages(&bytes).collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].kind, found[0].flags, found[1].kind), (20, 5, 21));
        let mut wanted = vec![9; 8];
        wanted.extend(5u16.to_ne_bytes());
        wanted.extend(3u16.to_ne_bytes());
        wanted.extend([1, 0, 0, 0]);
        wanted.extend(20u16.to_ne_bytes());
        wanted.extend(0x8004u16.to_ne_bytes());
        wanted.extend(8u16.to_ne_bytes());
        wanted.extend(1u16.to_ne_bytes());
        wanted.extend(b"abc\0");
        wanted.extend(8u16.to_ne_bytes());
        wanted.extend(2u16.to_ne_bytes());
        wanted.extend([0, 0, 0, 7]);
        assert_eq!(found[0].body, wanted);
    }
}
