//! WebSocket (RFC 6455): the change to it, and frames from then on. Each message of the agent is judged as a body is.
//!
//! Never lets an extension be agreed on: what is compressed could not be read.

use super::coding::Coding;
use super::frames::{Head, MOST_CONTROL, Opcode, read_head, write_frame};
use super::judge::{Judge, drain};
use super::refuse::Refusal;
use super::tokens::Back;
use super::upload::Upload;
use super::way::Told;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Version};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::time::timeout;

/// How long the change of protocols may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most bytes of a frame that are judged at once.
const PIECE: usize = 32 << 10;
/// The code of a close for content that is refused (RFC 6455 7.4.1).
const POLICY: [u8; 2] = 1008u16.to_be_bytes();

type Io = TokioIo<Upgraded>;

/// Whether a request asks for WebSocket.
pub(super) fn is_wanted<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let has = |name: header::HeaderName, word: &str| {
        let values = headers.get_all(name);
        values
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    request.version() == Version::HTTP_11
        && *request.method() == Method::GET
        && headers.contains_key(header::SEC_WEBSOCKET_KEY)
        && has(header::UPGRADE, "websocket")
        && has(header::CONNECTION, "upgrade")
}

/// Asks the host for it, without extensions.
pub(super) fn ask(headers: &mut HeaderMap) {
    headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// Tells the agent that the host agreed.
/// # Errors
/// 502, when the host agreed to what was not asked for.
pub(super) fn agree(headers: &mut HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS) {
        return Err(Refusal::new(502, "upgrade", "the host chose an extension that nobody asked for"));
    }
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    Ok(())
}

/// Relays both ways until one ends or a message is refused.
pub(super) async fn relay(judge: Judge, agent: OnUpgrade, host: OnUpgrade, line: String) {
    let changed = timeout(PATIENCE, async { (agent.await, host.await) }).await;
    let Ok((Ok(agent), Ok(host))) = changed else { return };
    let (agent_in, mut agent_out) = tokio::io::split(TokioIo::new(agent));
    let (host_in, host_out) = tokio::io::split(TokioIo::new(host));
    let mut up = pin!(upward(&judge, BufReader::new(agent_in), host_out));
    let refused = {
        let mut down = pin!(downward(&judge, BufReader::new(host_in), &mut agent_out));
        let (mut sent, mut received) = (false, false);
        std::future::poll_fn(|context| {
            if !sent && let Poll::Ready(ended) = up.as_mut().poll(context) {
                sent = true;
                if let Err(Ended::Refused(refusal)) = ended {
                    return Poll::Ready(Some(refusal));
                }
            }
            if !received && down.as_mut().poll(context).is_ready() {
                received = true;
            }
            if sent && received { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    };
    let Some(refusal) = refused else { return };
    judge.way.tell(Told {
        kind: refusal.kind(),
        request: Some(line),
        status: Some(101),
        rule: refusal.rule.clone(),
        grant: None,
        reason: Some(refusal.reason),
        findings: drain(&judge.findings),
    });
    let words = [&POLICY[..], b"aisandbox: ", refusal.reason.as_bytes()].concat();
    let close = Head { fin: true, opcode: Opcode::CLOSE, mask: None, length: words.len() as u64 };
    // The agent hears why if it still listens.
    drop(timeout(PATIENCE, write_frame(&mut agent_out, &close, &words)).await);
    drop(timeout(PATIENCE, agent_out.shutdown()).await);
}

/// Why a direction ended.
enum Ended {
    Refused(Refusal),
    Broken,
}

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// From the agent to the host. The end of the agent's side is the end of the host's input.
async fn upward(
    judge: &Judge,
    mut agent: BufReader<ReadHalf<Io>>,
    mut host: WriteHalf<Io>,
) -> Result<(), Ended> {
    let mut message: Option<Upload> = None;
    while let Some(head) = read_head(&mut agent).await? {
        let mask = head.mask.ok_or(Ended::Broken)?;
        if head.opcode.is_control() {
            control(judge, &head, mask, &mut agent, &mut host).await?;
            continue;
        }
        let (mut upload, mut first) = match (message.take(), head.opcode) {
            (None, Opcode::TEXT | Opcode::BINARY) => {
                let one = judge.message(head.fin.then_some(head.length));
                let upload = Upload::new(one, Coding::Identity, head.opcode.media()).await?;
                (upload, Some(head.opcode))
            }
            (Some(upload), Opcode::CONTINUATION) => (upload, None),
            _ => return Err(Ended::Broken),
        };
        let mut left = head.length;
        let mut at = 0;
        loop {
            let count = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let mut piece = vec![0; count];
            agent.read_exact(&mut piece).await?;
            unmask(&mut piece, mask, at);
            at += count;
            left -= count as u64;
            upload.count(count).await?;
            let last = head.fin && left == 0;
            let out = upload.feed(&piece, last).await?;
            if last || !out.is_empty() || first.is_some() {
                let opcode = first.take().unwrap_or(Opcode::CONTINUATION);
                forward(judge, &mut host, opcode, last, &out).await?;
            }
            if left == 0 {
                break;
            }
        }
        if !head.fin {
            message = Some(upload);
        }
    }
    host.shutdown().await?;
    Ok(())
}

async fn control(
    judge: &Judge,
    head: &Head,
    mask: [u8; 4],
    agent: &mut BufReader<ReadHalf<Io>>,
    host: &mut WriteHalf<Io>,
) -> Result<(), Ended> {
    let mut payload = control_payload(head, agent).await?;
    unmask(&mut payload, mask, 0);
    if !payload.is_empty() {
        let one = judge.message(Some(head.length));
        let mut upload = Upload::new(one, Coding::Identity, Opcode::BINARY.media()).await?;
        payload = upload.feed(&payload, true).await?;
        payload.truncate(MOST_CONTROL);
    }
    forward(judge, host, head.opcode, true, &payload).await
}

async fn forward(
    judge: &Judge,
    host: &mut WriteHalf<Io>,
    opcode: Opcode,
    fin: bool,
    payload: &[u8],
) -> Result<(), Ended> {
    let mask = crate::sys::random::random_bytes::<4>().map_err(|_| Ended::Broken)?;
    judge.way.sent(payload.len() as u64 + 6).await?;
    let mut masked = payload.to_vec();
    unmask(&mut masked, mask, 0);
    let head = Head { fin, opcode, mask: Some(mask), length: masked.len() as u64 };
    Ok(write_frame(host, &head, &masked).await?)
}

fn unmask(bytes: &mut [u8], mask: [u8; 4], at: usize) {
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte ^= mask.get((at + place) % 4).copied().unwrap_or(0);
    }
}

/// From the host to the agent, without secrets and with values in place of tokens. A frame whose content may change is sent
/// on in parts, whose lengths are then known.
async fn downward(
    judge: &Judge,
    mut host: BufReader<ReadHalf<Io>>,
    agent: &mut WriteHalf<Io>,
) -> Result<(), Ended> {
    let begin = || Back::new(judge.keys.clone(), judge.tokens.clone());
    let mut message = begin();
    let mut opcode = None;
    while let Some(head) = read_head(&mut host).await? {
        if head.mask.is_some() {
            return Err(Ended::Broken);
        }
        if head.opcode.is_control() {
            let payload = control_payload(&head, &mut host).await?;
            judge.way.received(payload.len() as u64).await?;
            let mut payload = begin().feed(&payload, true);
            payload.truncate(MOST_CONTROL);
            write_frame(agent, &Head { length: payload.len() as u64, ..head }, &payload).await?;
            continue;
        }
        if head.opcode != Opcode::CONTINUATION {
            opcode = Some(head.opcode);
        }
        let mut left = head.length;
        loop {
            let mut piece = vec![0; usize::try_from(left).unwrap_or(PIECE).min(PIECE)];
            host.read_exact(&mut piece).await?;
            left -= piece.len() as u64;
            judge.way.received(piece.len() as u64).await?;
            let fin = head.fin && left == 0;
            let out = message.feed(&piece, fin);
            if fin || !out.is_empty() {
                let opcode = opcode.take().unwrap_or(Opcode::CONTINUATION);
                let part = Head { fin, opcode, mask: None, length: out.len() as u64 };
                write_frame(agent, &part, &out).await?;
            }
            if left == 0 {
                break;
            }
        }
        if head.fin {
            message = begin();
        }
    }
    agent.shutdown().await?;
    Ok(())
}

/// The payload of a control frame as it came.
async fn control_payload(head: &Head, from: &mut BufReader<ReadHalf<Io>>) -> Result<Vec<u8>, Ended> {
    let length = usize::try_from(head.length).ok().filter(|length| *length <= MOST_CONTROL && head.fin);
    let mut payload = vec![0; length.ok_or(Ended::Broken)?];
    from.read_exact(&mut payload).await?;
    Ok(payload)
}
