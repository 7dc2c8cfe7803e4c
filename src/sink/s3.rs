//! S3 with Object Lock: an object for each closed segment of a log, which nobody can delete or replace for a time.
//!
//! An object is never written over (`If-None-Match: *`), and counts as arrived when the store says that it is there with its
//! digest, locked as was asked. The object of another content in its place is told, and is no reason to go on.

use super::Trouble;
use super::config::S3;
use super::http::{Answer, Client, judge};
use super::secret::Hidden;
use super::ship::Store;
use super::sigv4::{Scope, Unsigned, authorization, encoded};
use crate::base::WallTime;
use crate::crypto::sha256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::time::Duration;

/// The store.
pub(super) struct Way {
    client: Client,
    to: S3,
    access_key: Hidden,
    secret_key: Hidden,
    token: Option<Hidden>,
}

impl Way {
    /// Reads certificates and keys.
    /// # Errors
    /// In words.
    pub(super) fn new(to: &S3, timeout: Duration) -> Result<Self, String> {
        let client = Client::new(&to.url, &to.tls, Vec::new(), false, timeout)?;
        let token = to.session_token.as_ref().map(|place| place.read()).transpose()?;
        let (access_key, secret_key) = (to.access_key.read()?, to.secret_key.read()?);
        Ok(Self { client, to: to.clone(), access_key, secret_key, token })
    }

    fn send(
        &self,
        method: &str,
        key: &str,
        more: &[(&'static str, String)],
        body: &[u8],
    ) -> Result<Answer, Trouble> {
        let moment = moment(WallTime::now());
        let (base, host) = (self.to.url.trim_end_matches('/'), host(&self.to.url));
        let path = encoded(&format!("/{}/{key}", self.to.bucket));
        let digest = sha256(body).to_string();
        let mut headers = BTreeMap::from([
            ("host", host.to_owned()),
            ("x-amz-content-sha256", digest.clone()),
            ("x-amz-date", moment.clone()),
        ]);
        headers.extend(more.iter().map(|(name, value)| (*name, value.clone())));
        headers.extend(self.token.as_ref().map(|token| ("x-amz-security-token", token.expose().to_owned())));
        let (access_key, secret_key) = (self.access_key.expose(), self.secret_key.expose());
        let scope = Scope { access_key, secret_key, region: &self.to.region };
        let request = Unsigned { method, path: &path, headers: &headers, body: &digest };
        let signed = authorization(&scope, &request, &moment);
        headers.insert("authorization", signed);
        // The client says the host itself.
        headers.remove("host");
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.client.send(method, &format!("{base}{path}"), &headers, body)
    }

    /// Asks whether the object is there, with this content where one is named, and locked.
    fn check(&self, key: &str, checksum: Option<&str>) -> Result<(), Trouble> {
        let answer = self.send("HEAD", key, &[("x-amz-checksum-mode", "ENABLED".to_owned())], &[])?;
        let answer = judge(answer, &self.to.url)?;
        if checksum.is_some_and(|checksum| answer.header("x-amz-checksum-sha256") != Some(checksum)) {
            return Err(Trouble::later(format!("the object {key} is there with another content")));
        }
        let mode = answer.header("x-amz-object-lock-mode").unwrap_or_default();
        let until = answer.header("x-amz-object-lock-retain-until-date").unwrap_or_default();
        let until = until.parse::<WallTime>().map_or(0, WallTime::unix_seconds);
        if !mode.eq_ignore_ascii_case(self.to.mode()) || until <= WallTime::now().unix_seconds() {
            return Err(Trouble::later(format!("the object {key} is not locked as it should be")));
        }
        Ok(())
    }
}

impl Store for Way {
    fn put(&mut self, device: &str, run: &str, name: &str, bytes: &[u8]) -> Result<(), Trouble> {
        let key = format!("{}{device}/{run}/{name}", self.to.prefix);
        let checksum = STANDARD.encode(sha256(bytes).bytes());
        let until = WallTime(WallTime::now().0 + i128::from(self.to.days) * 86_400_000_000_000);
        let headers = [
            ("if-none-match", "*".to_owned()),
            ("x-amz-checksum-sha256", checksum.clone()),
            ("x-amz-object-lock-mode", self.to.mode().to_owned()),
            ("x-amz-object-lock-retain-until-date", seconds(until) + "Z"),
        ];
        let answer = self.send("PUT", &key, &headers, bytes)?;
        match answer.status {
            // It is there: sent before, or by somebody else.
            412 => {}
            // Somebody else writes it at this moment.
            409 => return Err(Trouble::later(format!("the object {key} is being written by another"))),
            _ => drop(judge(answer, &self.to.url)?),
        }
        // An alert says when it was made, so one that was sent before is another by its bytes.
        let is_segment = name.ends_with(".seg");
        self.check(&key, is_segment.then_some(checksum.as_str()))
    }
}

/// A moment without what is below a second, and without its zone.
fn seconds(time: WallTime) -> String {
    time.to_string().split('.').next().unwrap_or_default().to_owned()
}

/// `20130524T000000Z`.
fn moment(time: WallTime) -> String {
    seconds(time).replace(['-', ':'], "") + "Z"
}

/// Host and port of an address, as the header `host` has them.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_and_a_host_are_written_as_they_are_signed() {
        assert_eq!(moment(WallTime(1_369_353_600_000_000_000)), "20130524T000000Z");
        assert_eq!(host("https://s3.example.com:9000/x"), "s3.example.com:9000");
    }
}
