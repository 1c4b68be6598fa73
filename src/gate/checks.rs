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
    PURPOSE = "gate.purpose": "a declared purpose has 1 to 2048 bytes and no control characters";
    TOKEN_MISSING = "gate.token.missing": "a token is there, by the scheme Bearer or DPoP, once";
    TOKEN_UNKNOWN = "gate.token.unknown": "the token is one that this gate gave out";
    TOKEN_EXPIRED = "gate.token.expired": "the token has not run out";
    TOKEN_SPENT = "gate.token.spent": "a token of terms that count uses serves one delivery, of a directory each file once";
    TOKEN_BOUND = "gate.token.bound": "a token that is bound to a key is not used as a bearer token, and a bearer token not as a bound one";
    TOKEN_ASSET = "gate.token.asset": "the token is for the asset that is asked for";
    PROOF_MISSING = "gate.proof.missing": "exactly one DPoP proof is there where one is asked for";
    PROOF_FORM = "gate.proof.form": "a DPoP proof is a compact JWS without critical extensions that has jti, htm, htu and iat";
    PROOF_TYP = "gate.proof.typ": "the typ of a DPoP proof is dpop+jwt";
    PROOF_ALG = "gate.proof.alg": "a DPoP proof is signed by ES256 or EdDSA, as its key demands";
    PROOF_KEY = "gate.proof.key": "a DPoP proof has its public key in the header, and no secret one";
    PROOF_SIGNATURE = "gate.proof.signature": "a DPoP proof is signed by the key in its header";
    PROOF_METHOD = "gate.proof.method": "htm is the request's method";
    PROOF_TARGET = "gate.proof.target": "htu is the request's URL without query and fragment";
    PROOF_TIME = "gate.proof.time": "a DPoP proof was made at most 60 s ago, by a clock at most 60 s ahead";
    PROOF_TOKEN = "gate.proof.token": "ath is the hash of the token that the proof comes with";
    PROOF_BOUND = "gate.proof.bound": "a DPoP proof is by the key that the token is bound to";
    PROOF_NONCE = "gate.proof.nonce": "a DPoP proof answers a nonce of this gate that has not run out, where the gate asks for one";
    PROOF_REPLAYED = "gate.proof.replayed": "a DPoP proof is taken once";
    FORWARD_CALLER = "gate.forward.caller": "only the configured proxy asks at the door for proxies";
    FORWARD_REQUEST = "gate.forward.request": "the proxy names one method and one path that has one reading, each once";
    FORWARD_ORIGIN = "gate.forward.origin": "the request that the proxy asks about is to the gate's origin";
    RECEIPT_CLAIMS = "gate.receipt.claims": "a delivery receipt has exactly iss, core_sha256, asset_sha256, bytes, part, range, from and to, each well-formed";
    SHARE_TOKENS = "gate.share.tokens": "a contract has no more good tokens at a time than its share";
    SHARE_DELIVERIES = "gate.share.deliveries": "no more deliveries run under one contract, or to one address, than its share";
    DELIVERY_DIGEST = "gate.delivery.digest": "what was delivered whole has the digest of the contract's asset, and a file of a directory that of its line";
    SUMS = "gate.sums": "SHA256SUMS has the digest of the contract's asset and names each file below the directory once, by a path that stays there, with its SHA-256";
}
