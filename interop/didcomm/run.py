"""The other side of tests/interop_didcomm.rs: PyPI `didcomm` opens and seals what the request on stdin names.

Request:  {"open": [{"envelope", "recipient": Party, "sender": Party}],
           "seal": [{"message", "sender": Party, "recipient": Party, "enc", "s": "low" | "high", "authcrypt"?}]}
Answer:   {"opened": [{"message", "signed_by", "enc", "sealed_for"}], "sealed": [envelope]}
Party:    {"did", "signing": [Key], "agreement": [Key]};  Key: {"kid", "jwk"}, the jwk with `d` where this side needs it
"""

import asyncio
import base64
import json
import sys
import warnings

warnings.simplefilter("ignore")  # authlib announces its successor

from didcomm.common.algorithms import AnonCryptAlg
from didcomm.common.resolvers import ResolversConfig
from didcomm.did_doc.did_doc import DIDDoc
from didcomm.did_doc.did_resolver_in_memory import DIDResolverInMemory
from didcomm.pack_encrypted import PackEncryptedConfig, pack_encrypted
from didcomm.secrets.secrets_resolver_in_memory import SecretsResolverInMemory
from didcomm.secrets.secrets_util import jwk_to_secret
from didcomm.unpack import unpack

HALF_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2
ENC = {
    "A256CBC-HS512": AnonCryptAlg.A256CBC_HS512_ECDH_ES_A256KW,
    "A256GCM": AnonCryptAlg.A256GCM_ECDH_ES_A256KW,
    "XC20P": AnonCryptAlg.XC20P_ECDH_ES_A256KW,
}


def document(party):
    keys = party["signing"] + party["agreement"]
    public = lambda jwk: {name: value for name, value in jwk.items() if name != "d"}
    return DIDDoc.deserialize(
        {
            "@context": ["https://www.w3.org/ns/did/v1"],
            "id": party["did"],
            "verificationMethod": [
                {
                    "id": key["kid"],
                    "type": "JsonWebKey2020",
                    "controller": party["did"],
                    "publicKeyJwk": public(key["jwk"]),
                }
                for key in keys
            ],
            "authentication": [key["kid"] for key in party["signing"]],
            "keyAgreement": [key["kid"] for key in party["agreement"]],
        }
    )


def resolvers(*parties):
    keys = [key for party in parties for key in party["signing"] + party["agreement"]]
    secrets = [jwk_to_secret(key["jwk"] | {"kid": key["kid"]}) for key in keys if "d" in key["jwk"]]
    return ResolversConfig(
        SecretsResolverInMemory(secrets), DIDResolverInMemory([document(party) for party in parties])
    )


async def open_envelope(case):
    result = await unpack(resolvers(case["recipient"], case["sender"]), case["envelope"])
    metadata = result.metadata
    assert metadata.encrypted and metadata.anonymous_sender and metadata.non_repudiation
    return {
        "message": result.message.as_dict(),
        "signed_by": metadata.sign_from,
        "enc": metadata.enc_alg_anon.value.enc,
        "sealed_for": metadata.encrypted_to,
    }


def is_low(signed):
    signature = json.loads(signed)["signatures"][0]["signature"]
    return int.from_bytes(base64.urlsafe_b64decode(signature + "==")[32:], "big") <= HALF_ORDER


async def seal(case):
    sender, recipient = case["sender"], case["recipient"]
    config = PackEncryptedConfig(enc_alg_anon=ENC[case["enc"]], forward=False)
    own = {**recipient, "agreement": case.get("own", recipient["agreement"])}
    frm = sender["did"] if case.get("authcrypt") else None
    while True:
        packed = await pack_encrypted(
            resolvers(sender, recipient), dict(case["message"]), recipient["did"], frm, sender["did"], config
        )
        if case["s"] == "any":
            return packed.packed_msg
        # didcomm leaves s as it falls, so half of its ES256 signatures are not canonical: drawn again until it fits.
        opened = await unpack(resolvers(sender, own), packed.packed_msg)
        if is_low(opened.metadata.signed_message) == (case["s"] == "low"):
            return packed.packed_msg


async def main():
    request = json.load(sys.stdin)
    answer = {
        "opened": [await open_envelope(case) for case in request["open"]],
        "sealed": [await seal(case) for case in request["seal"]],
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
