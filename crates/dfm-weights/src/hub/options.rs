//! How a hub is asked.

use std::fmt;
use std::time::Duration;

use super::error::HubError;
use crate::hash::FileHash;

/// The hub that is asked unless another is named.
const OFFICIAL: &str = "https://huggingface.co";

/// How a hub is asked.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// The URL of the hub or of a mirror, without `/OWNER/NAME`.
    pub endpoint: String,
    /// Whether no connection is opened. What is here is then used.
    pub offline: bool,
    /// The token of a user, for repositories that not everybody can read.
    pub token: Option<Token>,
    /// How long a server may be silent before it is given up.
    pub patience: Duration,
    /// The SHA-256 that the file of the weights must have, if the user knows it.
    pub sha256: Option<FileHash>,
}

/// The token of a user of a hub. It is sent to the hub's own host alone, by HTTPS or within this machine.
/// `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

impl HubOptions {
    /// What the environment names: `HF_ENDPOINT`, `HF_HUB_OFFLINE` and `HF_TOKEN`, as for other clients of
    /// the hub. A variable that is set to nothing is as good as not set.
    ///
    /// # Errors
    ///
    /// [`HubError::Token`] if `HF_TOKEN` cannot be sent.
    pub fn of_user() -> Result<Self, HubError> {
        let of = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let is_set =
            |value: String| ["1", "true", "yes", "on"].contains(&value.to_ascii_lowercase().as_str());
        let usual = Self::default();
        Ok(Self {
            endpoint: of("HF_ENDPOINT").unwrap_or(usual.endpoint),
            offline: of("HF_HUB_OFFLINE").is_some_and(is_set),
            token: of("HF_TOKEN").map(|token| Token::new(&token)).transpose()?,
            ..Self::default()
        })
    }
}

impl Default for HubOptions {
    /// The official hub, which may be silent for a minute, without a token.
    fn default() -> Self {
        let patience = Duration::from_secs(60);
        Self { endpoint: OFFICIAL.to_owned(), offline: false, token: None, patience, sha256: None }
    }
}

impl Token {
    /// A token, without the spaces around it.
    ///
    /// # Errors
    ///
    /// [`HubError::Token`] if it has other characters than visible ones.
    pub fn new(text: &str) -> Result<Self, HubError> {
        let text = text.trim();
        match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Self(text.into())),
            false => Err(HubError::Token),
        }
    }

    /// The value of the header that carries it.
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown_and_cannot_add_a_header() {
        let token = Token::new(" secret\n").expect("a token");
        assert_eq!(token.header(), "Bearer secret");
        assert!(
            !format!("{:?}", HubOptions { token: Some(token), ..HubOptions::default() }).contains("secret")
        );
        for text in ["", " ", "a\r\nHost: b", "a b", "ä"] {
            assert!(Token::new(text).is_err(), "{text:?}");
        }
    }
}
