//! Checks of the negotiation: who may do what, and when.

crate::checks! {
    PIDS = "negotiation.pids": "a message names the negotiation by the pids that both sides know";
    STATE = "negotiation.state": "the message or the command is one of the arrows that leave this state for its sender";
    TERMINAL = "negotiation.terminal": "nothing moves a negotiation that is FINALIZED or TERMINATED";
    ACCEPT_BY = "negotiation.accept-by": "an offer is accepted, and an acceptance arrives, no later than accept_by";
    RECORD_BY = "negotiation.record-by": "a record is ordered no later than record_by";
    SUPERSEDED = "negotiation.superseded": "an acceptance names the offer that stands";
    OFFER_ID = "negotiation.offer-id": "an id names one offer of a plain negotiation: the same terms and the same roles each time";
    SAME_ACCEPTANCE = "negotiation.same-acceptance": "an offer has one acceptance";
    ENTRY = "negotiation.entry": "an entry or an acknowledgement is about this contract: hash, id, recorder, registry";
    RECORDED = "negotiation.recorded": "a provider does not terminate what it has handed to the registry";
    AGREEMENT = "negotiation.agreement": "a plain agreement has the terms and the roles of the offer that stands, and names both parties";
    REQUEST = "negotiation.request": "a request brings one asset, a key with its statement, and the sender's participant credential";
}
