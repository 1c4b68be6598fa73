//! The registry contract over JSON-RPC, and the embedded development chain.
