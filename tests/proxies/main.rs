//! The configurations in deploy/, each run by the real proxy it is for, in front of a real gate. The same is asserted of
//! all; what only one of them does stands in that one's file.
//!
//! `COUNTERSIGN_NGINX`, `COUNTERSIGN_ENVOY` and `COUNTERSIGN_TRAEFIK` name the binaries; nginx is also looked for in the
//! usual places, the tests of the others are ignored unless they are asked for. A test without its binary says so.

mod asked;
mod envoy;
mod front;
mod guarded;
mod nginx;
mod traefik;
#[path = "../support"]
mod support {
    pub mod gate_scene;
    pub mod gate_wallet;
    pub mod gate_world;
    pub mod ports;
}
