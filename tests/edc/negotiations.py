"""Negotiations between our node and a connector of Eclipse Dataspace Components, both ways, both endings, many at once."""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "peers"))

from edc import ODRL, Edc  # noqa: E402
from jars import TARGET, missing_tools  # noqa: E402
from node import Node, Town, free_ports, listed  # noqa: E402

DIFFERENCES = HERE / "differences.toml"
AT_ONCE = 300
# EDC's state machines look every 5 ms instead of every second: what it loses then, it loses by its own race.
LOOP_MS = 5
FINAL = ("FINALIZED", "TERMINATED")
# Seconds without any movement, after which what is not over is told as it stands.
QUIET = 20
USE = {"permission": [{"action": "use"}]}


class Checks:
    """What was held, one line each."""

    def __init__(self):
        self.passed = self.failed = 0

    def hold(self, what, condition, found=""):
        self.passed += bool(condition)
        self.failed += not condition
        print(f"{'passed' if condition else 'FAILED'}  {what}{'' if condition else f': {found}'}", flush=True)


class Pair:
    """Our node and an EDC that know each other."""

    def __init__(self, directory):
        edc_ports = free_ports(7)
        (port,) = free_ports(1)
        self.town = None
        self.edc = Edc("edc-peer", edc_ports, directory, LOOP_MS)
        try:
            self.town = Town(directory)
            words = {"PORT": port, "ADDRESS": f"http://127.0.0.1:{port}/dsp/2025-1", "EDC": self.edc.address}
            self.node = Node(self.town, "node", DIFFERENCES, words)
            self.edc.wait()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        self.edc.stop()
        if self.town:
            self.town.stop()

    def ours(self, peer_pid):
        """Our view of the negotiation that the EDC knows by its own id."""
        for view in self.node.negotiations():
            if peer_pid in (view["consumer_pid"], view["provider_pid"]):
                return view
        return None

    def buy(self, asset):
        """We request an offer of the EDC's catalog; our id."""
        return self.node.negotiate(self.edc.address, self.edc.name, asset)

    def sell(self, dataset):
        """The EDC requests an offer of our catalog; its id."""
        offer = self.edc.offer(self.node.address, self.node.did, dataset)
        return self.edc.request(self.node.address, self.node.did, offer)


def until(found, wanted, seconds=30):
    """Looks until it is what is wanted; the last that was seen."""
    end = time.monotonic() + seconds
    while True:
        seen = found()
        if wanted(seen) or time.monotonic() > end:
            return seen
        time.sleep(0.05)


def state_of(view):
    return view["state"] if view else None


def one_each_way(pair, checks):
    node, edc = pair.node, pair.edc
    bought = pair.buy("edc-road")
    ours = until(lambda: node.negotiation(bought), lambda it: it["state"] in FINAL)
    theirs = until(lambda: edc.state(ours["provider_pid"]), lambda it: it in FINAL)
    checks.hold("we buy an offer of its catalog: both FINALIZED", (ours["state"], theirs) == ("FINALIZED", "FINALIZED"), (ours, theirs))
    agreement = ours["agreement"] or {}
    roles = (agreement.get("assigner"), agreement.get("assignee"), agreement.get("target"))
    checks.hold("the agreement names provider, consumer and asset", roles == (edc.name, node.did, "edc-road"), agreement)

    sold = pair.sell("open-road")
    theirs = until(lambda: edc.state(sold), lambda it: it in FINAL)
    ours = until(lambda: pair.ours(sold), lambda it: state_of(it) in FINAL)
    checks.hold("it buys an offer of our catalog: both FINALIZED", (state_of(ours), theirs) == ("FINALIZED", "FINALIZED"), (ours, theirs))
    agreement = (ours or {}).get("agreement") or {}
    roles = (agreement.get("assigner"), agreement.get("assignee"), agreement.get("target"))
    checks.hold("our agreement is the one that it holds", roles == (node.did, edc.name, "open-road"), agreement)


def endings(pair, checks):
    node, edc = pair.node, pair.edc
    held = pair.sell("held-road")
    ours = until(lambda: pair.ours(held), lambda it: it is not None)
    checks.hold("a request that a person decides about is held", state_of(ours) == "REQUESTED" and ours["person"], ours)
    node.act(ours["id"], "terminate", {"reason": "no longer for sale"})
    theirs = until(lambda: edc.state(held), lambda it: it in FINAL)
    ours = node.negotiation(ours["id"])
    checks.hold("we terminate: both TERMINATED", (ours["state"], theirs) == ("TERMINATED", "TERMINATED"), (ours, theirs))

    held = pair.sell("held-road")
    ours = until(lambda: pair.ours(held), lambda it: it is not None)
    until(lambda: edc.state(held), lambda it: it == "REQUESTED")
    edc.terminate(held, "found it elsewhere")
    ours = until(lambda: node.negotiation(ours["id"]), lambda it: it["state"] in FINAL)
    theirs = until(lambda: edc.state(held), lambda it: it in FINAL)
    checks.hold("it terminates: both TERMINATED", (ours["state"], theirs) == ("TERMINATED", "TERMINATED"), (ours, theirs))
    checks.hold("and we know why", "found it elsewhere" in str(ours["ending"]), ours["ending"])


def refusals(pair, checks):
    node, edc = pair.node, pair.edc
    unknown = {"@context": ODRL, "@type": "Offer", "@id": "none", "assigner": node.did, "target": "no-road", **USE}
    asked = edc.request(node.address, node.did, unknown)
    theirs = until(lambda: edc.state(asked), lambda it: it in FINAL)
    checks.hold("what is not in our catalog is refused, and it knows", theirs == "TERMINATED", theirs)
    checks.hold("and nothing of it is left with us open", state_of(pair.ours(asked)) in (None, "TERMINATED"), pair.ours(asked))
    asked = node.negotiate(edc.address, edc.name, "no-road", "none", USE)
    ours = until(lambda: node.negotiation(asked), lambda it: it["state"] in FINAL)
    checks.hold("what is not in its catalog is refused, and we know", ours["state"] == "TERMINATED", ours)


def many(pair, checks):
    """Both at once are too many for one EDC: first one way, then the other."""
    node, edc = pair.node, pair.edc
    offer = edc.offer(node.address, node.did, "open-road")
    ways = {
        "we buy": lambda: pair.buy("edc-road"),
        "it buys": lambda: edc.request(node.address, node.did, offer),
    }
    for way, begin in ways.items():
        before = {view["id"] for view in node.negotiations()}
        known = {it["@id"] for it in edc.negotiations()}
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(24) as threads:
            for started in [threads.submit(begin) for _ in range(AT_ONCE)]:
                started.result()

        def both():
            ours = {view["id"]: view for view in node.negotiations() if view["id"] not in before}
            theirs = {it["@id"]: it for it in edc.negotiations() if it["@id"] not in known}
            return ours, theirs

        moved = {"when": began, "seen": None}

        def settled(seen):
            ours, theirs = seen
            states = [view["state"] for view in ours.values()] + [it["state"] for it in theirs.values()]
            if states != moved["seen"]:
                moved.update(when=time.monotonic(), seen=states)
            over = min(len(ours), len(theirs)) >= AT_ONCE and all(state in FINAL for state in states)
            # What nobody moves for so long stays as it is.
            return over or time.monotonic() - moved["when"] > QUIET

        ours, theirs = until(both, settled, 240)
        judge(checks, way, ours, theirs, moved["when"] - began, refused(node))


def refused(node):
    """The negotiations of which the other side did not take a message, by our log."""
    lines = node.log.read_text(errors="replace").splitlines()
    return {found[0] for line in lines if "does not take a message" in line for found in [re.findall(r"urn:uuid:[0-9a-f-]{36}", line)] if found}


def judge(checks, way, ours, theirs, seconds, refused):
    """Nothing of ours is in a state that contradicts the other side's; what the other side lost by itself is told.

    EDC answers 200 to our FINALIZED while its loop still writes that it is VERIFIED, or to our agreement while it still writes
    that it is REQUESTED, and then forgets the one for the other: what it took from us and lost is told, and no contradiction."""
    forgets = {("FINALIZED", "VERIFIED"), ("AGREED", "REQUESTED")}
    counted = Counter(view["state"] for view in ours.values())
    their_count = Counter(it["state"] for it in theirs.values())
    print(f"        {way}: ours {dict(counted)}, its {dict(their_count)}, {len(ours) / seconds:.0f}/s", flush=True)
    contradictions, ours_lost, its_lost = [], [], []
    for view in ours.values():
        pid = view["provider_pid"] if view["role"] == "consumer" else view["consumer_pid"]
        its = theirs.get(pid, {}).get("state")
        if (view["state"], its) in forgets and view["role"] == "provider" and view["id"] not in refused:
            its_lost.append((view["id"], f"it took our {view['state']} and says {its}"))
        elif view["state"] != its:
            contradictions.append((view["id"], view["state"], pid, its))
        if view["state"] != "FINALIZED":
            (its_lost if (view["ending"] or {}).get("by") != view["role"] else ours_lost).append((view["id"], view["ending"]))
    checks.hold(f"{way} {AT_ONCE} at once: all of them are here", len(ours) == AT_ONCE, len(ours))
    checks.hold(f"{way} {AT_ONCE} at once: both sides say the same of each", not contradictions, contradictions[:3])
    checks.hold(f"{way} {AT_ONCE} at once: none is lost by us", not ours_lost, ours_lost[:3])
    if its_lost:
        print(f"        {len(its_lost)} of {AT_ONCE} were lost by EDC itself: {its_lost[0]}", flush=True)


def main():
    arguments = argparse.ArgumentParser(prog="tests/edc/run", description="Negotiations with a live EDC 0.15.1.")
    arguments.add_argument("--keep", action="store_true", help="keep the directory with homes and logs")
    chosen = arguments.parse_args()
    missing = missing_tools()
    if missing:
        print(f"SKIPPED: no negotiation with EDC: {', '.join(missing)} missing (packages maven, openjdk-17-jdk-headless)")
        return 0 if os.environ.get("COUNTERSIGN_MAY_SKIP") == "1" else 77
    TARGET.mkdir(parents=True, exist_ok=True)
    directory = tempfile.mkdtemp(prefix="edc-", dir=TARGET)
    checks = Checks()
    pair = Pair(directory)
    try:
        pair.edc.sell("edc-road")
        for dataset in ("open-road", "held-road"):
            pair.node.list(dataset)
        one_each_way(pair, checks)
        endings(pair, checks)
        refusals(pair, checks)
        many(pair, checks)
    except Exception as fault:
        checks.hold("the story was told to its end", False, fault)
    finally:
        pair.stop()
    print("what differs from the shipped configuration (tests/edc/differences.toml):")
    print(listed(DIFFERENCES))
    if not chosen.keep:
        subprocess.run(["rm", "-rf", directory], check=True)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
