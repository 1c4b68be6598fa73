//! Checks of a gate, beside those of the contract, the registry and the terms.

crate::checks! {
    CHALLENGE_UNKNOWN = "gate.challenge.unknown": "the nonce is one that this gate gave out";
    CHALLENGE_EXPIRED = "gate.challenge.expired": "the challenge has not run out";
    CHALLENGE_REPLAYED = "gate.challenge.replayed": "a challenge is answered once";
    PROVIDER = "gate.provider": "the contract is of a provider whose data this gate guards";
    ASSET_DISCLOSED = "gate.asset.disclosed": "the presentation discloses the asset";
    ASSET_GUARDED = "gate.asset.guarded": "the asset is guarded here";
    ASSET_DIGEST = "gate.asset.digest": "the contract's asset has the digest of the asset that is guarded here";
    ASSET_ENDPOINT = "gate.asset.endpoint": "the contract's endpoint is where this gate serves the asset";
    TERMS_DISCLOSED = "gate.terms.disclosed": "the presentation discloses the terms";
    REGISTRY = "gate.registry": "the contract names the registry that this gate trusts";
    RECORDER = "gate.recorder": "the contract names a recorder that this gate knows, where it knows any";
    NOT_FINAL = "gate.not-final": "the entry stands in a block that is final";
    CHAIN_UNREACHABLE = "gate.chain.unreachable": "the chain can be read";
    CHAIN_DISAGREEMENT = "gate.chain.disagreement": "the chain's endpoints agree, and its newest block contains what is final";
    HEAD_STALE = "gate.head.stale": "the finalised head is no older than the gate's limit";
    COPIED = "gate.copied": "after a restore from a copy, older contracts open only where the terms do not rest on uses";
    TOKEN_MISSING = "gate.token.missing": "a bearer token is there";
    TOKEN_UNKNOWN = "gate.token.unknown": "the token is one that this gate gave out";
    TOKEN_EXPIRED = "gate.token.expired": "the token has not run out";
    TOKEN_SPENT = "gate.token.spent": "a token of terms that count uses serves one delivery";
    TOKEN_ASSET = "gate.token.asset": "the token is for the asset that is asked for";
    RECEIPT_CLAIMS = "gate.receipt.claims": "a delivery receipt has exactly iss, core_sha256, asset_sha256, bytes, range, from and to, each well-formed";
    DELIVERY_DIGEST = "gate.delivery.digest": "what was delivered whole has the digest of the contract's asset";
}
