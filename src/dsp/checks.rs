//! Checks of what comes over the Dataspace Protocol.

crate::checks! {
    MESSAGE = "dsp.message": "a message has the members that the schema of its type has, in their types, and no more than one of those that exclude each other";
    EVENT = "dsp.event": "a consumer's event is ACCEPTED, a provider's is FINALIZED";
    SIDE = "dsp.side": "a message arrives at an endpoint of the side that takes it";
    TOKEN = "dsp.token": "a caller proves its DID by a token that it signed for this node, valid now, for minutes, used once";
    PARTY = "dsp.party": "who asks about a negotiation is a party of it";
    PLAIN = "dsp.plain": "plain mode is for the counterparties that the configuration names";
    UNCATALOGED = "dsp.uncataloged": "terms that are not in the catalog are taken where the configuration says so";
    ROLES = "dsp.roles": "provider and consumer of an offer are the two that negotiate, promisor and promisee are those two, and nothing in the message says otherwise";
    CALLBACK = "dsp.callback": "a callback address is an http or https URL that this node may call, without query, fragment, user name or password";
    FILTER = "dsp.filter": "a catalog request brings no filter that this node does not know";
    SIGNED = "dsp.signed": "a signed message that travels in a message of the Dataspace Protocol is signed by who sent it";
    OPEN = "dsp.open": "a counterparty has no more negotiations open than the configuration allows, nor have all together whom it does not name";
}
