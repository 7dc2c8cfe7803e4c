//! Frames of WebSocket as bytes (RFC 6455 5.2).

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The most bytes of a control frame's payload.
pub(super) const MOST_CONTROL: usize = 125;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opcode(u8);

impl Opcode {
    /// More of a message.
    pub(super) const CONTINUATION: Self = Self(0);
    /// A message of text begins.
    pub(super) const TEXT: Self = Self(1);
    /// A message of bytes begins.
    pub(super) const BINARY: Self = Self(2);
    /// The end.
    pub(super) const CLOSE: Self = Self(8);
    /// Whether the other side is there.
    #[cfg(test)]
    pub(super) const PING: Self = Self(9);

    /// Whether it may stand between the frames of a message.
    pub(super) fn is_control(self) -> bool {
        self.0 >= 8
    }

    /// The media type of its message.
    pub(super) fn media(self) -> &'static str {
        if self == Self::TEXT { "text/plain" } else { "application/octet-stream" }
    }
}

/// What stands before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The last of its message.
    pub fin: bool,
    /// What it is.
    pub opcode: Opcode,
    /// What the payload is masked with.
    pub mask: Option<[u8; 4]>,
    /// Bytes of the payload.
    pub length: u64,
}

/// Reads a head; `None` at the end between two frames.
/// # Errors
/// For reserved bits and opcodes, and as read(2).
pub(super) async fn read_head(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Head>> {
    let mut start = [0; 2];
    let [first, second] = match from.read(start.get_mut(..1).unwrap_or_default()).await? {
        0 => return Ok(None),
        _ => {
            from.read_exact(start.get_mut(1..).unwrap_or_default()).await?;
            start
        }
    };
    let opcode = Opcode(first & 15);
    if first & 0x70 != 0 || !matches!(opcode.0, 0..=2 | 8..=10) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let length = match second & 0x7f {
        126 => u64::from(from.read_u16().await?),
        127 => from.read_u64().await?,
        length => u64::from(length),
    };
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        from.read_exact(&mut mask).await?;
    }
    Ok(Some(Head { fin: first & 0x80 != 0, opcode, mask: (second & 0x80 != 0).then_some(mask), length }))
}

/// Writes a head and what of its payload is there.
/// # Errors
/// As write(2).
pub(super) async fn write_frame(
    to: &mut (impl AsyncWrite + Unpin),
    head: &Head,
    payload: &[u8],
) -> io::Result<()> {
    let masked = if head.mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![u8::from(head.fin) << 7 | head.opcode.0];
    match (u8::try_from(head.length), u16::try_from(head.length)) {
        (Ok(length @ 0..=125), _) => bytes.push(masked | length),
        (_, Ok(length)) => {
            bytes.push(masked | 126);
            bytes.extend(length.to_be_bytes());
        }
        _ => {
            bytes.push(masked | 127);
            bytes.extend(head.length.to_be_bytes());
        }
    }
    bytes.extend(head.mask.iter().flatten());
    bytes.extend(payload);
    to.write_all(&bytes).await?;
    to.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_and_reserved_bits_do_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for length in [0, 125, 126, 65_535, 65_536, u64::MAX / 2] {
                for mask in [None, Some([1, 2, 3, 4])] {
                    let head = Head { fin: true, opcode: Opcode::TEXT, mask, length };
                    let mut bytes = Vec::new();
                    write_frame(&mut bytes, &head, b"").await.unwrap();
                    assert_eq!(read_head(&mut &bytes[..]).await.unwrap(), Some(head));
                    assert!(read_head(&mut &bytes[..1]).await.is_err());
                }
            }
            for first in [0xc1, 0xa1, 0x91, 0x83, 0x8b] {
                assert!(read_head(&mut &[first, 0][..]).await.is_err(), "{first:x}");
            }
            assert_eq!(read_head(&mut &[][..]).await.unwrap(), None);
        });
    }
}
