"""The other side of tests/interop_sd_jwt.rs: PyPI `sd-jwt` verifies and issues what the request on stdin names.

Request:  {"verify": [{"sd_jwt", "issuer": JWK, "at", "aud"?, "nonce"?}],
           "issue": [{"claims", "hidden": [name], "shown": [name], "kid", "issuer": JWK, "holder": JWK, "aud", "nonce"}]}
Answer:   {"verified": [{"claims"} | {"refused"}], "issued": [{"whole", "presentation", "high": whole with a high s}]}
JWKs carry `d` where this side signs. With `aud` and `nonce`, key binding is verified.
"""

import base64
import json
import sys

from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

HALF_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2


def key(jwk):
    return JWK(**jwk)


def verify(case):
    issuer = key(case["issuer"])
    try:
        verifier = SDJWTVerifier(case["sd_jwt"], lambda iss, header: issuer, case.get("aud"), case.get("nonce"))
        return {"claims": verifier.get_verified_payload()}
    except Exception as refusal:
        return {"refused": repr(refusal)}


def is_low(jws):
    signature = jws.split(".")[2]
    return int.from_bytes(base64.urlsafe_b64decode(signature + "==")[32:], "big") <= HALF_ORDER


def until(wanted, make):
    """The library signs with either s; half of its signatures are of the wanted kind."""
    while True:
        made, jws = make()
        if wanted(jws):
            return made


def issue(case):
    claims = {SDObj(name) if name in case["hidden"] else name: value for name, value in case["claims"].items()}
    issuer, holder = key(case["issuer"]), key(case["holder"])
    public = JWK(**{name: value for name, value in case["holder"].items() if name != "d"})

    def whole():
        header = {"typ": "dc+sd-jwt", "kid": case["kid"]}
        made = SDJWTIssuer(dict(claims), issuer, public, extra_header_parameters=header).sd_jwt_issuance
        return made, made.split("~")[0]

    text = until(is_low, whole)

    def presentation():
        at_holder = SDJWTHolder(text)
        shown = {name: True for name in case["shown"]}
        at_holder.create_presentation(shown, case["nonce"], case["aud"], holder)
        made = at_holder.sd_jwt_presentation
        return made, made.split("~")[-1]

    return {
        "whole": text,
        "presentation": until(is_low, presentation),
        "high": until(lambda jws: not is_low(jws), whole),
    }


request = json.load(sys.stdin)
json.dump(
    {"verified": [verify(case) for case in request["verify"]], "issued": [issue(case) for case in request["issue"]]},
    sys.stdout,
)
