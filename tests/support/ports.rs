//! Ports for processes whose address has to stand somewhere before they listen.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

// Below what Linux gives to sockets that ask for any port: such a port is nobody's by chance while its process is down.
const FIRST: u16 = 10_000;
const COUNT: u16 = 22_000;

/// A port on which nobody listens, and which nobody else in this process is given.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Tests of another process that runs at the same time begin elsewhere.
    let start = std::process::id().wrapping_mul(977) % u32::from(COUNT);
    loop {
        let next = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from((start + next) % u32::from(COUNT)).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
