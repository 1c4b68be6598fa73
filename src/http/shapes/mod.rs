//! What answers and bodies look like, for the OpenAPI document alone: no value is ever made of these.
//!
//! They repeat what the node's own types say, because those know nothing of HTTP; `tests/api.rs` holds answers of running
//! nodes against them, and what the node says it takes against what they list.
#![allow(dead_code, reason = "read by the derive that makes schemas of them")]

mod books;
mod contract;
mod dsp;
mod fees;
mod goods;
mod mediation;
mod negotiation;
mod node;
mod people;
mod round;
mod transfer;
mod undelivered;
mod waiting;
mod word;

pub(super) use books::*;
pub(super) use contract::*;
pub(super) use dsp::*;
pub(super) use fees::*;
pub(super) use goods::*;
pub(super) use mediation::*;
pub(super) use negotiation::*;
pub(super) use node::*;
pub(super) use people::*;
pub(super) use round::*;
pub(super) use transfer::*;
pub(super) use undelivered::*;
pub(super) use waiting::*;
pub(super) use word::*;
