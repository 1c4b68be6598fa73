//! The encrypted inbox: DIDComm v2.1 envelopes.
