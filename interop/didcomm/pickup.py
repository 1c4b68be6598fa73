"""A wallet that is not ours at a mediator that is: PyPI `didcomm` asks for mediation and picks up; `websockets` is its line.

Request:  {"step": "enrol" | "pick-up", "inbox": URL, "mediator": Party, "wallet": Party, "sender": Party, "stranger": Party}
Answer:   what the mediator said and what was picked up; see `enrol` and `pick_up`
Party:    as in run.py; `wallet`, `sender` and `stranger` with their secrets
"""

import asyncio
import json
import sys
import urllib.error
import urllib.request
import uuid

from didcomm.did_doc.did_doc import DIDDoc
from didcomm.common.resolvers import ResolversConfig
from didcomm.did_doc.did_resolver_in_memory import DIDResolverInMemory
from didcomm.pack_encrypted import PackEncryptedConfig, pack_encrypted
from didcomm.secrets.secrets_resolver_in_memory import SecretsResolverInMemory
from didcomm.secrets.secrets_util import jwk_to_secret
from didcomm.unpack import unpack
from websockets.asyncio.client import connect

from run import ENC, document, resolvers

ENCRYPTED = "application/didcomm-encrypted+json"
COORDINATION = "https://didcomm.org/coordinate-mediation/3.0/"
PICKUP = "https://didcomm.org/messagepickup/3.0/"


class Wallet:
    def __init__(self, party, request):
        self.party, self.mediator, self.inbox = party, request["mediator"], request["inbox"]
        self.resolvers = resolvers(party, self.mediator, request["sender"])

    async def sealed(self, kind, body, **more):
        message = {
            "id": str(uuid.uuid4()),
            "typ": "application/didcomm-plain+json",
            "type": kind,
            "from": self.party["did"],
            "to": [self.mediator["did"]],
            "body": body,
            **more,
        }
        packed = await pack_encrypted(
            self.resolvers,
            message,
            self.mediator["did"],
            self.party["did"],
            pack_config=PackEncryptedConfig(forward=False),
        )
        return message["id"], packed.packed_msg

    async def opened(self, envelope):
        result = await unpack(self.resolvers, envelope)
        assert result.metadata.encrypted and result.metadata.authenticated
        assert result.metadata.encrypted_from.split("#")[0] == self.mediator["did"]
        return result.message.as_dict()

    async def ask(self, kind, body):
        """One request by POST, its answer in the same response."""
        asked, envelope = await self.sealed(kind, body, return_route="all")
        status, answer = post(self.inbox, envelope)
        assert status == 200, (status, answer)
        said = await self.opened(answer)
        assert asked in (said.get("thid"), said.get("pthid"))
        return said

    async def read(self, held):
        """What a delivery brought, opened: sealed by its sender for this wallet, and by nobody in between."""
        result = await unpack(self.resolvers, decoded(held))
        return result.message.as_dict()["body"]["note"]


def decoded(held):
    import base64

    data = held["data"]["base64"]
    return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4)).decode()


def post(url, envelope):
    request = urllib.request.Request(url, envelope.encode(), {"Content-Type": ENCRYPTED}, method="POST")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def name(message):
    return message["type"].rsplit("/", 1)[1]


async def forwarded(request, note):
    """What PyPI didcomm makes for the wallet by itself: authcrypt, wrapped for the mediator that the wallet's document names."""
    wallet, mediator, sender = request["wallet"], request["mediator"], request["sender"]
    with_service = document(wallet).serialize()
    with_service["service"] = [
        {
            "id": wallet["did"] + "#inbox",
            "type": "DIDCommMessaging",
            "serviceEndpoint": request["inbox"],
            "recipientKeys": [],
            "routingKeys": [mediator["agreement"][0]["kid"]],
            "accept": ["didcomm/v2"],
        }
    ]
    secrets = [jwk_to_secret(key["jwk"] | {"kid": key["kid"]}) for key in sender["signing"] + sender["agreement"]]
    known = ResolversConfig(
        SecretsResolverInMemory(secrets),
        DIDResolverInMemory([DIDDoc.deserialize(with_service), document(mediator), document(sender)]),
    )
    message = {
        "id": str(uuid.uuid4()),
        "typ": "application/didcomm-plain+json",
        "type": "https://didcomm.org/basicmessage/2.0/message",
        "from": sender["did"],
        "to": [wallet["did"]],
        "body": {"note": note},
    }
    config = PackEncryptedConfig(enc_alg_anon=ENC["A256CBC-HS512"])
    packed = await pack_encrypted(known, message, wallet["did"], sender["did"], pack_config=config)
    assert packed.service_metadata.service_endpoint == request["inbox"]
    return packed.packed_msg


async def enrol(request):
    wallet, stranger = Wallet(request["wallet"], request), Wallet(request["stranger"], request)
    did = wallet.party["did"]
    early, _ = post(request["inbox"], await forwarded(request, "too early"))
    denied = await stranger.ask(COORDINATION + "mediate-request", {})
    unknown = await stranger.ask(PICKUP + "status-request", {})
    granted = await wallet.ask(COORDINATION + "mediate-request", {})
    add = {"updates": [{"recipient_did": did, "action": "add"}]}
    added = await wallet.ask(COORDINATION + "recipient-update", add)
    again = await wallet.ask(COORDINATION + "recipient-update", add)
    taken = await wallet.ask(
        COORDINATION + "recipient-update",
        {"updates": [{"recipient_did": request["sender"]["did"], "action": "add"}]},
    )
    query = await wallet.ask(COORDINATION + "recipient-query", {"paginate": {"limit": 30, "offset": 0}})
    live = await wallet.ask(PICKUP + "live-delivery-change", {"live_delivery": True})
    kept, _ = post(request["inbox"], await forwarded(request, "of didcomm"))
    return {
        "early": early,
        "denied": name(denied),
        "unknown": unknown["body"]["code"],
        "granted": {"name": name(granted), "body": granted["body"]},
        "results": [said["body"]["updated"][0]["result"] for said in (added, again, taken)],
        "recipients": [entry["recipient_did"] for entry in query["body"]["dids"]],
        "live": live["body"]["code"],
        "kept": kept,
    }


async def pick_up(request):
    wallet = Wallet(request["wallet"], request)
    did = wallet.party["did"]
    status = await wallet.ask(PICKUP + "status-request", {"recipient_did": did})
    delivery = await wallet.ask(PICKUP + "delivery-request", {"limit": 10, "recipient_did": did})
    once_more = await wallet.ask(PICKUP + "delivery-request", {"limit": 1})
    notes = [await wallet.read(held) for held in delivery["attachments"]]
    ids = [held["id"] for held in delivery["attachments"]]
    received = await wallet.ask(PICKUP + "messages-received", {"message_id_list": ids})
    empty = await wallet.ask(PICKUP + "delivery-request", {"limit": 10})
    return {
        "status": status["body"],
        "delivery": {"name": name(delivery), "body": delivery["body"]},
        "notes": notes,
        "same_again": once_more["attachments"][0]["id"] == ids[0],
        "received": {"name": name(received), "count": received["body"]["message_count"]},
        "empty": {"name": name(empty), "count": empty["body"]["message_count"]},
        "live": await pick_up_live(wallet, request),
    }


async def pick_up_live(wallet, request):
    address = request["inbox"].replace("http://", "ws://", 1)
    async with connect(address, proxy=None) as line:

        async def say(kind, body, **more):
            _, envelope = await wallet.sealed(kind, body, **more)
            await line.send(envelope)
            return await hear()

        async def hear():
            return await wallet.opened(await asyncio.wait_for(line.recv(), 20))

        on = await say(PICKUP + "live-delivery-change", {"live_delivery": True}, return_route="all")
        posted, _ = post(request["inbox"], await forwarded(request, "live"))
        delivery = await hear()
        [held] = delivery["attachments"]
        note = await wallet.read(held)
        # Asked for its answer on this line once, for all that follows.
        received = await say(PICKUP + "messages-received", {"message_id_list": [held["id"]]})
        off = await say(PICKUP + "live-delivery-change", {"live_delivery": False})
    return {
        "on": on["body"]["live_delivery"],
        "posted": posted,
        "delivery": name(delivery),
        "note": note,
        "left": received["body"]["message_count"],
        "off": off["body"]["live_delivery"],
    }


async def main():
    request = json.load(sys.stdin)
    steps = {"enrol": enrol, "pick-up": pick_up}
    json.dump(await steps[request["step"]](request), sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
