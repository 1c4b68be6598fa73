use super::Policy;

impl Policy {
    /// Each term as one sentence for a reader who knows contracts and not ODRL.
    pub fn in_words(&self) -> Vec<String> {
        todo!()
    }
}
