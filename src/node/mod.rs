//! Use cases and ports: what a node does when a message, a decision, a block or a timer comes.

pub mod port;
