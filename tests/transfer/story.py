"""A transfer between two of our nodes over HTTP, by the commands that people use: what opens the data, and what shuts it."""

import hashlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "peers"))

from jars import TARGET  # noqa: E402
from node import Node, Town, free_ports, listed  # noqa: E402

DATA = b"the road network\n" * 1000
passed = failed = 0


def hold(what, condition, found=""):
    global passed, failed
    passed += bool(condition)
    failed += not condition
    print(f"{'passed' if condition else 'FAILED'}  {what}{'' if condition else f': {found}'}", flush=True)


def until(look, wanted, seconds=20):
    end = time.monotonic() + seconds
    while not wanted(seen := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return seen


def fetched(address, token=None):
    """The status of a download, and its bytes."""
    request = urllib.request.Request(address["endpoint"], headers={"Authorization": f"Bearer {token or address['token']}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class Party:
    """A node with its commands."""

    def __init__(self, town, node):
        self.town, self.node = town, node

    def run(self, *arguments):
        return json.loads(self.town.run(*arguments, "--home", str(self.node.home), "--json"))

    def fails(self, *arguments):
        try:
            self.run(*arguments)
        except RuntimeError as fault:
            return str(fault)
        return ""

    def transfer(self, id, state):
        return until(lambda: self.run("transfer", "show", id), lambda view: view["state"] == state)

    def agreement(self, provider):
        """Negotiates about the road; the agreement's id."""
        id = self.node.negotiate(provider.address, provider.did, "road")
        view = until(lambda: self.node.negotiation(id), lambda it: it["state"] in ("FINALIZED", "TERMINATED"))
        return view["agreement"]["@id"]


def story(town, directory):
    road = directory / "road.txt"
    road.write_bytes(DATA)
    (port,) = free_ports(1)
    consumer = Party(town, Node(town, "consumer", HERE / "consumer.toml"))
    words = {"PORT": port, "CONSUMER": consumer.node.did, "FILE": road, "SHA256": hashlib.sha256(DATA).hexdigest()}
    provider = Party(town, Node(town, "provider", HERE / "provider.toml", words))
    unnamed = Party(town, Node(town, "unnamed", HERE / "consumer.toml"))
    provider.node.list("road")

    agreement = consumer.agreement(provider.node)
    id = consumer.run("transfer", "request", agreement)["id"]
    view = consumer.transfer(id, "STARTED")
    hold("a transfer under an agreement starts by itself", view["state"] == "STARTED", view)
    address = consumer.run("transfer", "address", id)
    hold("its token opens the data", fetched(address) == (200, DATA), fetched(address)[0])
    hold("another token does not", fetched(address, "x" * 43)[0] == 401)
    (theirs,) = provider.run("transfer", "list")
    hold("no list shows the token", address["token"] not in json.dumps([theirs, view]))

    consumer.run("transfer", "suspend", id, "--reason", "holidays")
    theirs = provider.transfer(theirs["id"], "SUSPENDED")
    hold("the provider knows that it is suspended, and why", "holidays" in json.dumps(theirs["history"]), theirs)
    hold("a suspended transfer opens nothing", fetched(address)[0] == 403)
    consumer.run("transfer", "start", id)
    provider.transfer(theirs["id"], "STARTED")
    hold("it goes on with the same token", fetched(address) == (200, DATA))
    provider.run("transfer", "complete", theirs["id"])
    view = consumer.transfer(id, "COMPLETED")
    hold("the provider completes it", view["state"] == "COMPLETED", view)
    hold("then the token is nobody's", fetched(address)[0] == 401)
    hold("a completed transfer moves no more", "transfer.terminal" in consumer.fails("transfer", "terminate", id))

    stolen = unnamed.fails("transfer", "request", agreement)
    hold("an agreement of others is none", "transfer.agreement" in stolen, stolen)
    own = unnamed.agreement(provider.node)
    id = unnamed.run("transfer", "request", own)["id"]
    view = unnamed.transfer(id, "TERMINATED")
    why = json.dumps(view["history"])
    hold("whom the configuration does not name gets no data", view["state"] == "TERMINATED" and "not named" in why, view)


def main():
    TARGET.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="transfer-", dir=TARGET))
    town = Town(directory)
    try:
        story(town, directory)
    except Exception as fault:
        hold("the story was told to its end", False, fault)
    finally:
        town.stop()
    for name in ("provider", "consumer"):
        print(f"what differs from the shipped configuration (tests/transfer/{name}.toml):")
        print(listed(HERE / f"{name}.toml"))
    subprocess.run(["rm", "-rf", str(directory)], check=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
