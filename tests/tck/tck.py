"""Runs the conformance suite against a node, and judges what it says."""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "peers"))

from agreements import DECISIONS, SUITE, Agreements  # noqa: E402
from jars import TARGET, compiled, jars, missing_tools  # noqa: E402
from node import Node, Town, free_ports, listed  # noqa: E402

# 67 tests, of which the suite itself disables two.
PASSED, SKIPPED = 65, 2
DISABLED = {"TP:02-04", "TP_C:02-04"}
CALLBACK_PORT = 8083
DIFFERENCES = HERE / "differences.toml"
AUTHORIZATION = "the-conformance-suite"
# The terms of everything that the suite negotiates about.
USE = {"permission": [{"action": "use"}]}

GROUPS = {
    "MET": "Version metadata",
    "CAT": "Catalog",
    "CN": "Contract negotiation, provider",
    "CN_C": "Contract negotiation, consumer",
    "TP": "Transfer process, provider",
    "TP_C": "Transfer process, consumer",
}


def main():
    arguments = argparse.ArgumentParser(prog="tests/tck/run", description="The Dataspace Protocol's conformance suite.")
    arguments.add_argument("--self", dest="itself", action="store_true", help="the suite against itself, without a node")
    arguments.add_argument("--table", action="store_true", help="print the table of the README before the last line")
    arguments.add_argument("--part", help="only one part: metadata, catalog, cn or tp; is no whole run")
    arguments.add_argument("--keep", action="store_true", help="keep the directory with homes and logs")
    chosen = arguments.parse_args()
    missing = missing_tools()
    if missing:
        print(f"SKIPPED: the conformance suite did not run: {', '.join(missing)} missing (packages maven, openjdk-17-jdk-headless)")
        return 0 if os.environ.get("COUNTERSIGN_MAY_SKIP") == "1" else 77
    lib = jars(HERE / "pom.xml", "tck")
    classes = compiled(HERE / "Suite.java", lib, "tck")
    TARGET.mkdir(parents=True, exist_ok=True)
    directory = tempfile.mkdtemp(prefix="tck-", dir=TARGET)
    command = ["java", "-cp", f"{classes}:{lib}/*", "Suite"]
    if chosen.itself:
        properties = written(directory, {"dataspacetck.dsp.local.connector": "true"})
        result = run(command, properties, chosen.part)
    else:
        result = against_a_node(directory, command, chosen.part)
    if not chosen.keep:
        subprocess.run(["rm", "-rf", directory], check=True)
    return judged(result, chosen)


def against_a_node(directory, command, part):
    town = Town(directory)
    try:
        (port,) = free_ports(1)
        node = Node(town, "node", DIFFERENCES, {"HERE": HERE, "PORT": port, "ASSETS": guarded()})
        began = time.monotonic()
        agreements = Agreements(node, AUTHORIZATION)
        ids = agreements.conclude() if part in (None, "tp") else {}
        hook = Hook(node)
        print(f"agreements for the transfers: {len(ids)}, concluded in {time.monotonic() - began:.1f} s", flush=True)
        properties = written(directory, settings(node, hook, ids))
        try:
            return run(command, properties, part)
        finally:
            hook.server.shutdown()
    finally:
        town.stop()


def guarded():
    """The datasets of the transfers as the gate guards them."""
    script = HERE / "decisions.json"
    digest = hashlib.sha256(script.read_bytes()).hexdigest()
    asset = '{{ id = "{0}", path = "/{0}", source = {{ file = "{1}" }}, media_type = "application/json", sha256 = "{2}" }}'
    return ", ".join(asset.format(name, script, digest) for name in DECISIONS if name.startswith("ATP"))


def settings(node, hook, agreements):
    """The suite's properties: where everything is, and which dataset, offer or agreement each test is about."""
    properties = {
        "dataspacetck.dsp.local.connector": "false",
        "dataspacetck.dsp.connector.agent.id": node.did,
        "dataspacetck.dsp.connector.http.url": node.address,
        "dataspacetck.dsp.connector.http.base.url": node.public,
        "dataspacetck.dsp.connector.http.headers.authorization": AUTHORIZATION,
        "dataspacetck.dsp.connector.negotiation.initiate.url": f"{hook.url}/negotiations",
        "dataspacetck.dsp.connector.transfer.initiate.url": f"{hook.url}/transfers",
        # Seconds.
        "dataspacetck.dsp.default.wait": "7",
        "dataspacetck.callback.address": f"http://localhost:{CALLBACK_PORT}",
        "dataspacetck.port": str(CALLBACK_PORT),
    }
    for test in ("01_01", "01_02", "01_03"):
        properties[f"CAT_{test}_DATASETID"] = "CAT" + test.replace("_", "")
    for dataset in SUITE["provider"]:
        test = f"CN_{dataset[3:5]}_{dataset[5:7]}"
        properties[f"{test}_DATASETID"] = dataset
        properties[f"{test}_OFFERID"] = f"CD123:{dataset}:456"
    for dataset in SUITE["consumer"]:
        properties[f"CN_C_{dataset[4:6]}_{dataset[6:8]}_DATASETID"] = dataset
    for dataset, agreement in agreements.items():
        role, number = ("TP_C", dataset[4:]) if dataset.startswith("ATPC") else ("TP", dataset[3:])
        properties[f"{role}_{number[:2]}_{number[2:]}_AGREEMENTID"] = agreement
        properties[f"{role}_{number[:2]}_{number[2:]}_FORMAT"] = "HttpData-PULL"
    return properties


def written(directory, properties):
    path = Path(directory) / "suite.properties"
    escaped = (f"{name}={value}".replace("\\", "\\\\") for name, value in properties.items())
    path.write_text("\n".join(escaped) + "\n")
    return path


class Hook:
    """Where the suite asks that a negotiation or a transfer be begun: it is begun through the management interface."""

    def __init__(self, node):
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                try:
                    hook.begin(node, self.path, asked)
                    status = 200
                except Exception as fault:  # The suite sees that it failed, the reader why.
                    print(f"hook: {self.path}: {fault}", flush=True)
                    status = 500
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def begin(self, node, path, asked):
        if path == "/transfers":
            order = {"agreement": asked["agreementId"], "address": asked["connectorAddress"]}
            node.call("POST", "dsp/transfers", order)
        else:
            node.negotiate(asked["connectorAddress"], asked["providerId"], asked["datasetId"], asked["offerId"], USE)


def run(command, properties, part):
    """Runs the suite; every test with its outcome, what it printed of failures, its own count and its time."""
    began = time.monotonic()
    arguments = [*command, str(properties), *([part] if part else [])]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    outcomes, failures, count = {}, [], None
    for line in process.stdout:
        ended = re.search(r"\] (SUCCESSFUL|FAILED|ABORTED): (\S+)", line)
        if ended:
            outcomes[ended[2]] = "passed" if ended[1] == "SUCCESSFUL" else "failed"
            print(f"{outcomes[ended[2]]}  {ended[2]}", flush=True)
        elif line.startswith("failure: "):
            failures.append(line.strip())
        elif line.startswith("succeeded "):
            count = [int(number) for number in re.findall(r"\d+", line)]
    process.wait()
    return outcomes, failures, count, time.monotonic() - began


def judged(result, chosen):
    outcomes, failures, count, seconds = result
    for failure in failures:
        print(failure)
    if count is None:
        print("the suite ended without a result")
        print("0 passed, 1 failed, 0 skipped")
        return 1
    succeeded, failed, skipped, found = count
    print(f"the suite took {seconds:.1f} s")
    if not chosen.itself:
        print("what differs from the shipped configuration (tests/tck/differences.toml):")
        print(listed(DIFFERENCES))
    if chosen.table:
        print(table(outcomes))
    printed = sum(outcome == "passed" for outcome in outcomes.values())
    # The suite's own count and the lines that it printed have to say the same.
    whole = (succeeded, failed, skipped, found) == (PASSED, 0, SKIPPED, PASSED + SKIPPED) and printed == PASSED
    whole = whole and not DISABLED & outcomes.keys()
    if not whole and failed == 0 and not chosen.part:
        print(f"not a whole run: {found} tests found, {printed} printed as passed")
        failed = 1
    print(f"{succeeded} passed, {failed} failed, {skipped} skipped")
    return 0 if whole else 1


def table(outcomes):
    """The README's table: a line for each group of tests."""
    lines = ["| group | tests | passed |", "|---|---|---|"]
    for group, name in GROUPS.items():
        of_group = [outcome for test, outcome in outcomes.items() if test.split(":")[0] == group]
        lines.append(f"| {name} ({group}) | {len(of_group)} | {of_group.count('passed')} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
