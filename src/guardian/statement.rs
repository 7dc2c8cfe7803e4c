//! Statements of leases that leave the machine: a person asks for one, the run's own key signs it.
//!
//! Never signs for an agent, and never what does not hold. Recorded before it is handed out.

use super::Guardian;
use super::token::{Statement, TokenError};
use crate::audit::{Event, access};
use crate::base::WallTime;
use crate::wire::broker::Allowed;
use crate::wire::denial::Reason;
use crate::wire::limit;
use crate::wire::session::Reply;

impl Guardian {
    /// Signs a lease that holds, for whom the person names.
    pub(super) fn sign(&mut self, session: u64, id: &str, audience: &str) {
        let reply =
            self.signed(id, audience).unwrap_or_else(|(reason, detail)| Reply::Refused { reason, detail });
        self.sessions.reply(session, &reply);
    }

    fn signed(&mut self, id: &str, audience: &str) -> Result<Reply, (Reason, String)> {
        limit::check_name(audience).map_err(|why| (Reason::Protocol, why.to_owned()))?;
        let lease = self.leases.by_id(id).and_then(|number| self.leases.get(number));
        let lease = lease.filter(|lease| lease.holds);
        let lease = lease.ok_or((Reason::NotFound, "no lease of this id holds".to_owned()))?;
        let state = self.grant_state(lease);
        let resource = &state.resource;
        let statement = Statement {
            grant: state.id.clone(),
            approved_by: state.approved_by,
            allowed: state
                .actions
                .iter()
                .map(|action| Allowed { action: *action, resource: resource.clone() })
                .collect(),
            until: state.until,
            audience: audience.to_owned(),
        };
        let now = WallTime::now().unix_seconds();
        let failed = |error: TokenError| match error {
            TokenError::Expired => (Reason::Revoked, "the lease is over".to_owned()),
            other => (Reason::Unavailable, other.to_string()),
        };
        let (token, claims) = self.signer.sign(&self.about.run, statement, now).map_err(failed)?;
        let seconds = claims.expires.saturating_sub(now);
        let event = access::Token {
            what: "signed".to_owned(),
            token: claims.id.to_string(),
            from: Some(state.id),
            seconds,
            audience: Some(audience.to_owned()),
        };
        let recorded = self.recorder.durably(&Event::Token(event));
        recorded.map_err(|error| (Reason::NoRecord, error.to_string()))?;
        Ok(Reply::Signed { token, seconds, public_key: self.signer.public_hex() })
    }
}
