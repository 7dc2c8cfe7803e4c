//! Says no to a client in its own protocol, so that a person reads a reason instead of a broken connection.
//!
//! Never waits long for a client that does not listen.

use super::peek::Seen;
use super::reason::{self, Denied, text};
use super::relay::abort;
use crate::sys::stream::end_writing;
use serde::Serialize;
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a client has to take the answer and to close.
const PATIENCE: Duration = Duration::from_secs(2);
/// What a client may still send meanwhile, bytes.
const MOST_REST: u64 = 256 << 10;
/// Fatal alerts (RFC 8446, 6.2): access_denied for what is refused, internal_error for a host that is not there.
const ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 49];
const ALERT_AWAY: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

#[derive(Serialize)]
struct Body<'a> {
    error: String,
    reason: &'a str,
    rule: Option<&'a str>,
    host: &'a str,
    message: &'a str,
}

/// What the agent reads of a refusal by HTTP. Some clients show `error` and nothing else.
pub(super) fn json(host: &str, reason: &str, rule: Option<&str>, message: &str) -> String {
    let body = Body { error: format!("aisandbox: {message}"), reason, rule, host, message };
    let mut text = serde_json::to_string(&body).unwrap_or_default();
    text.push('\n');
    text
}

/// The words beside the status: all that wget, git and urllib show of an answer.
pub(super) fn phrase(name: &str, reason: &str) -> String {
    format!("{name} by aisandbox ({reason})")
}

/// A refusal as an answer of HTTP/1.
pub(super) fn http(status: u16, name: &str, host: &str, denied: &Denied) -> Vec<u8> {
    let body = json(host, denied.reason, denied.rule.as_deref(), text(denied.reason));
    let (phrase, length) = (phrase(name, denied.reason), body.len());
    format!(
        "HTTP/1.1 {status} {phrase}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A refusal as a disconnect of SSH before any key (RFC 4253, 11.1): a banner, and one packet.
fn ssh(denied: &Denied) -> Vec<u8> {
    let rule = denied.rule.as_deref().map(|rule| format!(" ({rule})")).unwrap_or_default();
    let words = format!("aisandbox: {}{rule}", text(denied.reason));
    let counted =
        |text: &str| [&u32::try_from(text.len()).unwrap_or(0).to_be_bytes(), text.as_bytes()].concat();
    // 1: SSH_MSG_DISCONNECT; 1: SSH_DISCONNECT_HOST_NOT_ALLOWED_TO_CONNECT.
    let payload = [&[1, 0, 0, 0, 1][..], &counted(&words), &counted("en")].concat();
    let padding = 4 + (8 - (payload.len() + 9) % 8) % 8;
    let length = u32::try_from(payload.len() + padding + 1).unwrap_or(0).to_be_bytes();
    let padded = u8::try_from(padding).unwrap_or(4);
    [b"SSH-2.0-aisandbox\r\n", &length[..], &[padded], &payload, &vec![0; padding]].concat()
}

/// Answers as the client speaks, or resets the connection.
pub(super) async fn tell(stream: TcpStream, seen: &Seen, (host, port): (&str, u16), denied: &Denied) {
    let answer = match seen {
        Seen::Tls(_) if is_away(denied.reason) => ALERT_AWAY.to_vec(),
        Seen::Tls(_) => ALERT.to_vec(),
        Seen::Http { two: false } => http(403, "Forbidden", host, denied),
        Seen::Ssh => ssh(denied),
        Seen::Silent if port == 22 => ssh(denied),
        _ => return abort(&stream),
    };
    finish(stream, &answer).await;
}

/// Whether no rule refused it: the host does not answer.
fn is_away(reason: &str) -> bool {
    [reason::UNRESOLVED, reason::UNREACHABLE, reason::PARENT].contains(&reason)
}

/// Writes the last word and waits until the client has it: a reset would take it away.
pub(super) async fn finish(mut stream: TcpStream, answer: &[u8]) {
    let rest = async {
        stream.write_all(answer).await?;
        end_writing(stream.as_fd())?;
        let mut left = MOST_REST;
        let mut buffer = [0; 4096];
        while left > 0 {
            match stream.read(&mut buffer).await? {
                0 => break,
                count => left = left.saturating_sub(count as u64),
            }
        }
        std::io::Result::Ok(left)
    };
    if !matches!(timeout(PATIENCE, rest).await, Ok(Ok(1..))) {
        abort(&stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disconnect_of_ssh_is_whole_blocks() {
        for rule in ["", "a", "ab", "abc", "profile.yaml:12", "x:1234567"] {
            let bytes = ssh(&Denied::by(reason::DENIED, rule));
            let packet = bytes.strip_prefix(b"SSH-2.0-aisandbox\r\n").unwrap();
            let length = u32::from_be_bytes(packet[..4].try_into().unwrap()) as usize;
            assert_eq!(packet.len(), length + 4);
            assert_eq!(packet.len() % 8, 0);
            assert!(packet[4] >= 4, "{rule}");
        }
    }

    #[test]
    fn a_refusal_of_http_names_reason_rule_and_host() {
        let answer = http(403, "Forbidden", "a.test", &Denied::by(reason::DENIED, "p.yaml:3"));
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
        assert!(head.starts_with("HTTP/1.1 403 Forbidden by aisandbox (denied)\r\n"), "{head}");
        assert!(body.contains(r#""reason":"denied","rule":"p.yaml:3","host":"a.test""#), "{body}");
    }
}
