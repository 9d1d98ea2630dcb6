//! Which part a picture shows.

/// Which part a picture shows, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartOf {
    /// The name of the part.
    pub part: String,
    /// The name of the view, such as that of a camera or a lighting.
    pub view: String,
}
