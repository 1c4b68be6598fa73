"""The suite's transfers need agreements that stand. They are concluded as any other: over the protocol, by the same scripted
decisions, with this file as the counterparty in the place of the suite."""

import json
import threading
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DECISIONS = json.loads((Path(__file__).resolve().parent / "decisions.json").read_text())["datasets"]
CONTEXT = "https://w3id.org/dspace/2025/1/context.jsonld"
PARTICIPANT = "TCK_PARTICIPANT"
USE = {"permission": [{"action": "use"}]}
# The datasets of the suite's negotiations by the role of the connector that it tests.
SUITE = {
    "provider": [name for name in DECISIONS if name.startswith("ACN") and not name.startswith("ACNC")],
    "consumer": [name for name in DECISIONS if name.startswith("ACNC")],
}


class Agreements:
    """A counterparty that concludes an agreement about each dataset of the suite's transfers."""

    def __init__(self, node, authorization):
        self.node, self.authorization = node, authorization
        self.concluded = {}
        self.changed = threading.Condition()
        self.known = {}
        desk = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                message = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                answer, then = desk.hear(self.path.rstrip("/"), message)
                text = json.dumps(answer).encode() if answer else b""
                self.send_response(201 if answer else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
                if then:
                    threading.Thread(target=then, daemon=True).start()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def conclude(self, within=30):
        """Concludes all of them at once; the agreement's id for each dataset."""
        datasets = [name for name in DECISIONS if name.startswith("ATP")]
        for dataset in datasets:
            begin = self.ask_us if dataset.startswith("ATPC") else self.ask_node
            threading.Thread(target=begin, args=[dataset], daemon=True).start()
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.concluded) == len(datasets), within):
                left = sorted(set(datasets) - self.concluded.keys())
                raise RuntimeError(f"no agreement was concluded about {', '.join(left)}: see {self.node.log}")
        self.server.shutdown()
        return self.concluded

    def ask_node(self, dataset):
        """The node is the provider: this side requests."""
        pid = f"urn:uuid:{uuid.uuid4()}"
        self.known[pid] = {"dataset": dataset}
        offer = {"@type": "Offer", "@id": f"CD123:{dataset}:456", "target": dataset, **USE}
        message = {"@type": "ContractRequestMessage", "consumerPid": pid, "offer": offer, "callbackAddress": self.url}
        self.post(f"{self.node.address}/negotiations/request", message)

    def ask_us(self, dataset):
        """The node is the consumer: it is told to request."""
        self.node.negotiate(self.url, PARTICIPANT, dataset, f"offer{dataset}", USE)

    def hear(self, path, message):
        """A message of the node: its answer, and what follows from it."""
        kind = message["@type"]
        pids = {name: message[name] for name in ("consumerPid", "providerPid") if name in message}
        if kind == "ContractRequestMessage":
            pids["providerPid"] = f"urn:uuid:{uuid.uuid4()}"
            base, dataset = message["callbackAddress"].rstrip("/"), message["offer"]["target"]
            self.known[pids["providerPid"]] = {"dataset": dataset, "base": base}
            agreement = {
                "@type": "Agreement",
                "@id": f"urn:uuid:{uuid.uuid4()}",
                "target": dataset,
                "assigner": PARTICIPANT,
                "assignee": self.node.did,
                "timestamp": "2026-01-01T00:00:00Z",
                "permission": message["offer"]["permission"],
            }
            self.known[pids["providerPid"]]["agreement"] = agreement["@id"]
            agreed = {"@type": "ContractAgreementMessage", **pids, "agreement": agreement}
            url = f"{base}/negotiations/{pids['consumerPid']}/agreement"
            return {"@context": [CONTEXT], "@type": "ContractNegotiation", **pids, "state": "REQUESTED"}, lambda: self.post(url, agreed)
        if kind == "ContractAgreementMessage":
            self.known[pids["consumerPid"]]["agreement"] = message["agreement"]["@id"]
            url = f"{self.node.address}/negotiations/{pids['providerPid']}/agreement/verification"
            return None, lambda: self.post(url, {"@type": "ContractAgreementVerificationMessage", **pids})
        if kind == "ContractAgreementVerificationMessage":
            known = self.known[pids["providerPid"]]
            url = f"{known['base']}/negotiations/{pids['consumerPid']}/events"
            event = {"@type": "ContractNegotiationEventMessage", **pids, "eventType": "FINALIZED"}
            return None, lambda: (self.post(url, event), self.done(known))
        if kind == "ContractNegotiationEventMessage":
            known = self.known[pids["consumerPid"]]
            return None, lambda: self.done(known)
        raise RuntimeError(f"{path}: {message}")

    def done(self, known):
        with self.changed:
            self.concluded[known["dataset"]] = known["agreement"]
            self.changed.notify_all()

    def post(self, url, message):
        data = json.dumps({"@context": [CONTEXT], "@id": f"urn:uuid:{uuid.uuid4()}", **message}).encode()
        headers = {"Authorization": self.authorization, "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers), timeout=10) as answer:
            answer.read()
