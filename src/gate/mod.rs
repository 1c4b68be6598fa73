//! Whether a presentation opens a data endpoint.
