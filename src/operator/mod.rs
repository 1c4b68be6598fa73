//! Fee statements and their audit.
