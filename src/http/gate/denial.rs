use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Problem;
use crate::check::{Check, Refusal};
use crate::gate::{asks_for_proof, checks};
use crate::node::{Carried, Gatekeeper, NodeFault, Scheme};

/// The proof of a token's key (RFC 9449).
pub(super) const DPOP: HeaderName = HeaderName::from_static("dpop");
/// A nonce for the next proof.
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// The check that denied, for whoever does not see a body: callers behind a proxy that asks.
const CHECK: HeaderName = HeaderName::from_static("countersign-check");

/// After how many seconds somebody with a full share may ask again.
const LATER: &str = "5";

/// What a request brings; a header that stands twice is as none.
pub(super) fn carried<'a>(method: &'a str, path: &'a str, headers: &'a HeaderMap) -> Carried<'a> {
    let texts = |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect::<Vec<_>>();
    let token = match texts(header::AUTHORIZATION)[..] {
        [value] => value.split_once(' ').and_then(|(scheme, token)| {
            let token = token.trim();
            let is = |name: &str| scheme.eq_ignore_ascii_case(name) && !token.is_empty();
            let scheme = if is("DPoP") { Some(Scheme::Dpop) } else { is("Bearer").then_some(Scheme::Bearer) };
            scheme.map(|scheme| (scheme, token))
        }),
        _ => None,
    };
    Carried { method, path, token, proofs: texts(DPOP) }
}

/// A request that is not served, and what its caller may mend.
#[derive(Debug)]
pub(super) struct Denial {
    problem: Problem,
    check: Option<&'static Check>,
    /// What the caller may try (RFC 9110, 11.6.1).
    challenge: Option<String>,
    nonce: Option<String>,
}

impl Denial {
    /// A denial of a token or a proof, as its caller sees it: the check and its rule; the log has the rest.
    pub(super) fn of(fault: NodeFault, gatekeeper: &Gatekeeper) -> Self {
        let check = check_of(&fault);
        let unauthorized = check.is_some_and(|check| {
            let token = [&checks::TOKEN_MISSING, &checks::TOKEN_UNKNOWN, &checks::TOKEN_EXPIRED, &checks::TOKEN_BOUND];
            token.contains(&check) || asks_for_proof(check)
        });
        let status = if unauthorized { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
        let denial = Self::with(status, fault);
        if !unauthorized {
            return denial;
        }
        let challenge = challenge(check, gatekeeper.settings().dpop_required);
        Self { challenge: Some(challenge), nonce: gatekeeper.proof_nonce().ok().flatten(), ..denial }
    }

    /// A denial of an answer to a challenge. A proof that does not hold is the request's fault (RFC 9449, 5 and 8).
    pub(super) fn of_answer(fault: NodeFault, gatekeeper: &Gatekeeper) -> Self {
        let unproven = check_of(&fault).is_some_and(asks_for_proof);
        let status = if unproven { StatusCode::BAD_REQUEST } else { StatusCode::FORBIDDEN };
        let nonce = if unproven { gatekeeper.proof_nonce().ok().flatten() } else { None };
        Self { nonce, ..Self::with(status, fault) }
    }

    /// A refusal of more than one's share; it passes by itself.
    pub(super) fn beyond_a_share(check: &'static Check) -> Self {
        let problem = Problem::of_check(StatusCode::TOO_MANY_REQUESTS, check, check.rule());
        Self { problem, check: Some(check), challenge: None, nonce: None }
    }

    fn with(status: StatusCode, fault: NodeFault) -> Self {
        match fault {
            NodeFault::Refused(Refusal { check, .. }) if check == &checks::SHARE_TOKENS => Self::beyond_a_share(check),
            NodeFault::Refused(Refusal { check, .. }) => {
                let problem = Problem::of_check(status, check, check.rule());
                Self { problem, check: Some(check), challenge: None, nonce: None }
            }
            fault => Problem::from(fault).into(),
        }
    }
}

fn check_of(fault: &NodeFault) -> Option<&'static Check> {
    match fault {
        NodeFault::Refused(refusal) => Some(refusal.check),
        _ => None,
    }
}

fn challenge(check: Option<&'static Check>, dpop_required: bool) -> String {
    let error = match check {
        Some(check) if *check == checks::PROOF_NONCE => "error=\"use_dpop_nonce\", ",
        Some(check) if asks_for_proof(check) => "error=\"invalid_dpop_proof\", ",
        Some(check) if *check == checks::TOKEN_MISSING => "",
        _ => "error=\"invalid_token\", ",
    };
    let bearer = if dpop_required { "" } else { ", Bearer" };
    format!("DPoP {error}algs=\"ES256 EdDSA\"{bearer}")
}

impl From<Problem> for Denial {
    fn from(problem: Problem) -> Self {
        Self { problem, check: None, challenge: None, nonce: None }
    }
}

impl IntoResponse for Denial {
    fn into_response(self) -> Response {
        let mut response = self.problem.into_response();
        let later = (response.status() == StatusCode::TOO_MANY_REQUESTS).then_some(LATER);
        let headers = response.headers_mut();
        let mut set = |name, value: Option<&str>| {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(name, value);
            }
        };
        set(header::WWW_AUTHENTICATE, self.challenge.as_deref());
        set(CHECK, self.check.map(|check| check.id()));
        set(header::RETRY_AFTER, later);
        set(header::CACHE_CONTROL, Some("no-store"));
        nonce(response, self.nonce)
    }
}

/// Hands the caller a nonce for its next proof.
pub(super) fn nonce(mut response: Response, nonce: Option<String>) -> Response {
    if let Some(nonce) = nonce.and_then(|nonce| HeaderValue::from_str(&nonce).ok()) {
        response.headers_mut().insert(DPOP_NONCE, nonce);
    }
    response
}
