//! Requests to a hub. It points to other servers for large files, and says before what they are.

use ureq::Body;
use ureq::http::{HeaderMap, Method, Request, Response, StatusCode, header};

use super::address::Address;
use super::error::HubError;
use super::options::HubOptions;
use super::reference::{Commit, HubReference};
use crate::hash::FileHash;
use crate::http;

/// A hub points to its store of large files at once, or once more after a repository was renamed.
const MOST_REDIRECTIONS: usize = 8;
/// What a hub calls an error is about ten characters long.
const LONGEST_CODE: usize = 40;

/// Asks one hub.
pub(super) struct Client<'a> {
    agent: ureq::Agent,
    pub(super) options: &'a HubOptions,
    home: Address,
}

/// What a hub says of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// The commit that the revision is.
    pub(super) commit: Option<Commit>,
    /// The SHA-256 of a large file.
    pub(super) sha256: Option<FileHash>,
    /// Its size in bytes.
    pub(super) size: Option<u64>,
}

/// An answer with a file, or with a part of it.
pub(super) struct Answer {
    pub(super) response: Response<Body>,
    /// Where the file is, for people.
    pub(super) url: String,
}

impl<'a> Client<'a> {
    pub(super) fn new(options: &'a HubOptions) -> Result<Self, HubError> {
        let endpoint = options.endpoint.trim_end_matches('/');
        let home = Address::parse(endpoint)
            .ok_or_else(|| HubError::Endpoint { got: endpoint.chars().take(80).collect() })?;
        let agent = http::settings(options.patience)
            // Redirections are followed here: another host must not see the token.
            .max_redirects(0)
            .http_status_as_error(false)
            .build()
            .into();
        Ok(Self { agent, options, home })
    }

    /// The address of a file of a repository at a revision.
    pub(super) fn file(&self, reference: &HubReference, file: &str) -> Address {
        let endpoint = self.options.endpoint.trim_end_matches('/');
        let (repository, revision) = (reference.repository(), reference.revision_part());
        let url = format!("{endpoint}/{repository}/resolve/{revision}/{file}");
        Address::parse(&url).expect("a checked endpoint, and names without special characters")
    }

    /// Asks what the hub says of a file, without the file.
    pub(super) fn facts(&self, address: &Address) -> Result<Facts, HubError> {
        let mut facts = Facts::default();
        self.ask(Method::HEAD, address, 0, &mut facts)?;
        Ok(facts)
    }

    /// Asks for a file, from the byte `from` on.
    pub(super) fn get(&self, address: &Address, from: u64) -> Result<Answer, HubError> {
        self.ask(Method::GET, address, from, &mut Facts::default())
    }

    fn ask(
        &self,
        method: Method,
        address: &Address,
        from: u64,
        facts: &mut Facts,
    ) -> Result<Answer, HubError> {
        let mut at = address.clone();
        for _ in 0..=MOST_REDIRECTIONS {
            let response = self.send(&method, &at, from)?;
            let is_home = at.is_at_home(&self.home);
            if is_home {
                facts.add(response.headers());
            }
            let url = at.shown();
            if !response.status().is_redirection() {
                let refuses = [401, 403].contains(&response.status().as_u16());
                if is_home && refuses && self.options.token.is_some() && !at.is_private() {
                    return Err(HubError::TokenNotSent { url, status: response.status().as_u16() });
                }
                return check(response, url, from, is_home);
            }
            let location = text(response.headers(), header::LOCATION.as_str()).unwrap_or_default();
            let refused = |reason| {
                let to = location.split('?').next().unwrap_or_default().chars().take(200).collect();
                HubError::Redirection { url: url.clone(), to, reason }
            };
            let next = at.follow(location).ok_or_else(|| refused("not a URL of http or https"))?;
            if at.is_secure() && !next.is_secure() {
                return Err(refused("not encrypted any more"));
            }
            // What the hub says is known by now, and the store of large files need not be asked.
            if method == Method::HEAD && is_home && !next.is_at_home(&self.home) {
                return Ok(Answer { response, url });
            }
            at = next;
        }
        let to = at.shown();
        Err(HubError::Redirection { url: address.shown(), to, reason: "too many redirections" })
    }

    fn send(&self, method: &Method, at: &Address, from: u64) -> Result<Response<Body>, HubError> {
        let mut request = Request::builder().method(method).uri(at.uri());
        // The bytes of the file itself: they are hashed, and counted from `from` on.
        request = request.header(header::ACCEPT_ENCODING, "identity");
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        let token = self.options.token.as_ref().filter(|_| at.is_at_home(&self.home) && at.is_private());
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token.header());
        }
        let unreachable = |reason: String| HubError::Unreachable { url: at.shown(), reason };
        let request = request.body(()).map_err(|error| unreachable(error.to_string()))?;
        self.agent.run(request).map_err(|error| unreachable(error.to_string()))
    }
}

impl Facts {
    /// Adds what an answer of the hub itself says. A later answer knows better.
    fn add(&mut self, headers: &HeaderMap) {
        if let Some(commit) = text(headers, "x-repo-commit").and_then(Commit::new) {
            self.commit = Some(commit);
        }
        let tag = text(headers, "x-linked-etag").or_else(|| text(headers, "etag"));
        let digits = tag.map(|tag| tag.trim_start_matches("W/").trim_matches('"'));
        if let Some(sha256) = digits.and_then(|digits| digits.parse().ok()) {
            self.sha256 = Some(sha256);
        }
        if let Some(size) = text(headers, "x-linked-size").and_then(|size| size.parse().ok()) {
            self.size = Some(size);
        }
    }
}

/// The answer if it has the file, or its rest. An answer that has no more bytes to give is one, too.
fn check(response: Response<Body>, url: String, from: u64, is_home: bool) -> Result<Answer, HubError> {
    let status = response.status();
    if status.is_success() || (from > 0 && status == StatusCode::RANGE_NOT_SATISFIABLE) {
        return Ok(Answer { response, url });
    }
    let code = text(response.headers(), "x-error-code").filter(|_| is_home);
    let code = code.map(|code| code.chars().filter(|c| !c.is_control()).take(LONGEST_CODE).collect());
    let status = status.as_u16();
    Err(match status {
        404 | 410 => HubError::NotFound { url, status, code },
        401 | 403 if is_home => HubError::Denied { url, status, code },
        _ => HubError::Status { url, status, code },
    })
}

/// The value of a header, if it is there and is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}
