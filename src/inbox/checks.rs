//! Checks of envelopes, of the messages inside and of contacts.

crate::checks! {
    SIZE = "inbox.size": "an envelope has at most 256 KiB; one around another, for or from a mediator, at most 512 KiB";
    FORM = "inbox.envelope.form": "an envelope is a general JSON JWE with exactly protected, recipients (each header.kid and encrypted_key), iv, ciphertext and tag, of the lengths that enc has";
    HEADER = "inbox.envelope.header": "the protected header has exactly typ, alg, enc, epk and apv, and with ECDH-1PU skid and apu";
    TYP = "inbox.envelope.typ": "the envelope's typ is application/didcomm-encrypted+json";
    ALG = "inbox.envelope.alg": "the key is agreed with ECDH-ES+A256KW or ECDH-1PU+A256KW";
    SENDER = "inbox.envelope.sender": "an authenticated envelope (ECDH-1PU) names its sender's key in skid and, as base64url, in apu; an anonymous one names none";
    SENDER_KEY = "inbox.sender-key": "the key that sealed an authenticated envelope is a key agreement key in its DID's document or signed contact";
    ENC = "inbox.envelope.enc": "the content is encrypted with A256CBC-HS512, or in an anonymous envelope with A256GCM";
    RECIPIENTS = "inbox.envelope.recipients": "an envelope has 1 to 16 recipients, each once, all keys of one DID";
    APV = "inbox.envelope.apv": "apv is the SHA-256 of the sorted recipient kids, joined by a point";
    EPK = "inbox.envelope.epk": "the ephemeral key is a point on X25519 or P-256 and of the recipient key's curve";
    SHARED = "inbox.envelope.shared": "the shared secret is not all zero";
    RECIPIENT = "inbox.envelope.recipient": "one of the recipient keys is this wallet's";
    KEY_WRAP = "inbox.envelope.key-wrap": "the content key unwraps with the agreed key";
    CONTENT = "inbox.envelope.content": "the ciphertext, its tag and the protected header belong together";
    NESTING = "inbox.nesting": "the nesting is anoncrypt(sign), authcrypt, authcrypt(sign), either of these two inside anoncrypt, or an anonymous forward";
    UNSIGNED = "inbox.unsigned": "what moves a negotiation is signed inside its envelope, for it is kept as evidence; authcrypt alone serves mediation, pickup and forwarding";
    FORWARD = "inbox.forward": "a forward names a DID or a key of one as next and has one attachment, an envelope";
    HOPS = "inbox.hops": "a message passes at most 2 mediators";
    MEDIATION = "mediation.message": "a message to or from a mediator has the body that coordinate-mediation 3.0 or messagepickup 3.0 gives its kind, within 32 updates, 256 ids and 16 envelopes";
    RECIPIENT_WORD = "mediation.recipient": "a DID is added at a mediator by itself, or by whom its own signed word names, at that mediator, within a day";
    SIGNED_FORM = "inbox.signed.form": "a signed message is a general JSON JWS with exactly one signature";
    SIGNED_HEADER = "inbox.signed.header": "the protected header has exactly typ and alg, and perhaps kid; the unprotected one exactly kid, perhaps; both name the same key";
    SIGNED_TYP = "inbox.signed.typ": "the signed message's typ is application/didcomm-signed+json";
    PLAINTEXT = "inbox.plaintext": "a plaintext has id, type, from, to and an object as body, of the kinds and lengths that DIDComm v2.1 gives them";
    PLAINTEXT_TYP = "inbox.plaintext.typ": "the plaintext's typ is application/didcomm-plain+json";
    ROTATION = "inbox.plaintext.rotation": "a message does not change its sender's DID (from_prior)";
    FROM = "inbox.from": "from is the DID of the key that signed or, without a signature, sealed";
    TO = "inbox.to": "to contains the DID whose key opened the envelope, and that is this wallet's";
    EXPIRED = "inbox.expired": "the message is read before its expires_time";
    CREATED = "inbox.created": "what a mediator is asked was written at most 60 seconds ahead of its clock";
    ATTACHMENT = "inbox.attachment": "at most 16 attachments, each with its own id and either base64 of a text or JSON; nothing is fetched by link";
    AGREEMENT = "inbox.agreement": "a key agreement key is an X25519 or P-256 public key, a point of its curve";
    AGREEMENT_DID = "inbox.agreement.did": "the DID spells a key agreement key by itself: it is a did:key";
    INVITATION = "invitation.form": "an invitation is a whole DIDComm out-of-band 2.0 message, for one recipient at most, that lasts a year at most";
    INVITATION_LINK = "invitation.link": "an invitation's link carries it whole, as base64url in `_oob`, within 64 KiB; nothing is fetched by link";
    INVITATION_PROTOCOL = "invitation.protocol": "an invitation is of out-of-band 2.0, accepts didcomm/v2 and brings its maker's signed contact";
    INVITATION_FOR = "invitation.for": "an invitation is taken by whom it is for, and by nobody who made it";
    INVITATION_EXPIRED = "invitation.expired": "an invitation is taken before it expires";
    INVITATION_USED = "invitation.used": "an invitation is taken once, unless whom it introduced was forgotten since";
    INVITATION_CONTACT = "invitation.contact": "the contact in an invitation is of the DID that invites";
    CONTACT = "inbox.contact": "a contact has exactly iss, url, key, iat and, with a mediator, routing: 1 to 2 keys";
    CONTACT_URL = "inbox.contact.url": "a contact's url is http or https with a host, without user, password or fragment";
    CONTACT_KEY = "inbox.contact.key": "a contact's key agreement key is named under the DID that signed the contact, its routing keys under others";
}
