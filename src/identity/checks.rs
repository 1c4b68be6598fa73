//! Checks of identifiers, keys and signatures.

crate::checks! {
    DID = "did.syntax": "a DID is `did:key`, `did:jwk` or `did:web`, well-formed and at most 2048 characters long";
    DID_KEY = "did.key": "the key that a DID or a JWK spells is a canonical P-256 or Ed25519 public key";
    DID_DOCUMENT = "did.document": "the DID's document is at hand, belongs to that DID and names each key once";
    DID_WEB = "did.web": "a did:web names a domain, not an address, perhaps a port, and a path of plain letters";
    DID_RESOLVED = "did.resolved": "a did:web's document is there: asked for once in a while, answered in time with 200 and at most 64 KiB, without a redirect";
    JWK = "jwk.members": "a JWK has exactly the members kty, crv, x and (for P-256) y";
    JWS_FORM = "jws.form": "a JWS is three base64url parts, compact, of at most 64 KiB (a fee statement: 8 MiB)";
    JWS_HEADER = "jws.header": "a JWS header has exactly alg, typ and kid (no kid in a KB-JWT); crit, jwk, jku and x5u are never followed";
    JWS_ALG = "jws.alg": "the algorithm is ES256 or EdDSA and fits the key";
    JWS_TYP = "jws.typ": "the typ names exactly the kind of statement that is expected here";
    JWS_KID = "jws.kid": "kid is an absolute DID URL whose DID equals iss, and names a key that the DID signs with";
    JWS_CANONICAL = "jws.signature.canonical": "the signature has one spelling: 64 bytes, for ES256 with low s";
    JWS_SIGNATURE = "jws.signature": "the signature verifies over the received bytes";
}
