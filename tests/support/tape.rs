//! What a test program logs, from warnings on, read back as JSON. It is everything that the process logs.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// What was logged.
#[derive(Clone, Default)]
pub struct Tape(Arc<Mutex<Vec<u8>>>);

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Tape {
    /// Begins to record; once in a process.
    pub fn start() -> Self {
        let tape = Self::default();
        let written = tape.clone();
        let subscriber = tracing_subscriber::fmt().json().with_max_level(tracing::Level::WARN);
        let subscriber = subscriber.with_writer(move || written.clone()).finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        tape
    }

    /// The lines since this was asked last.
    pub fn lines(&self) -> Vec<Value> {
        let written = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(written).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
