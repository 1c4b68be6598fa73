"""How many plain negotiations come to FINALIZED in a second, and how long one takes: ours next to EDC's, same path, same run.

The path is REQUESTED, AGREED, VERIFIED, FINALIZED, begun by the consumer through its management interface. Ours: two processes with
SQLite, every commit durable. EDC: two processes that keep everything in memory, with the loop that they have by default."""

import argparse
import asyncio
import concurrent.futures
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "peers"))

from edc import Edc  # noqa: E402
from jars import TARGET, missing_tools  # noqa: E402
from node import Node, Town, free_ports, listed  # noqa: E402

DIFFERENCES = HERE / "differences.toml"
DATASET = "road"
TERMS = {"permission": [{"action": "use"}]}
FINAL = ("FINALIZED", "TERMINATED")
# What is asked of ours, as a multiple of EDC's.
GOALS = {"throughput": 20, "latency": 50}


class Wire:
    """Keep-alive connections to one management interface: no library between the load and the socket."""

    def __init__(self, node, connections):
        url = urlsplit(node.management)
        self.host, self.port, self.key = url.hostname, url.port, node.key
        self.free = asyncio.Queue()
        self.connections = connections

    async def open(self):
        for _ in range(self.connections):
            self.free.put_nowait(await asyncio.open_connection(self.host, self.port))
        return self

    async def call(self, method, path, body=None):
        reader, writer = await self.free.get()
        data = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} /api/{path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nAuthorization: Bearer {self.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        writer.write(head.encode() + data)
        status = int((await reader.readline()).split()[1])
        length = 0
        while (line := await reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        text = await reader.readexactly(length)
        self.free.put_nowait((reader, writer))
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {text.decode(errors='replace')}")
        return json.loads(text) if text else None


class Ours:
    """Two of our nodes."""

    def __init__(self, directory):
        self.town = Town(directory)
        words = {name.upper(): self.town.did(name) for name in ("provider", "consumer")}
        self.provider = Node(self.town, "provider", DIFFERENCES, words)
        self.consumer = Node(self.town, "consumer", DIFFERENCES, words)
        self.provider.list(DATASET, TERMS)
        self.order = {
            "counterparty": self.provider.did,
            "address": self.provider.address,
            "dataset": DATASET,
            "offer": f"offer:{DATASET}",
            "terms": TERMS,
        }

    def stop(self):
        self.town.stop()

    async def measure(self, count, singles):
        wire = await Wire(self.consumer, 32).open()
        await self.many(wire, min(count, 100))  # Connections, pages and paths that the first ones would pay for.
        took = [await self.one(wire) for _ in range(singles)]
        began = time.perf_counter()
        await self.many(wire, count)
        seconds = time.perf_counter() - began
        for node in (self.provider, self.consumer):
            wrong = [view["state"] for view in node.negotiations(min(count, 1000)) if view["state"] != "FINALIZED"]
            if wrong:
                raise RuntimeError(f"{node.name}: {len(wrong)} negotiations are {set(wrong)}")
        return count / seconds, statistics.median(took)

    async def many(self, wire, count):
        await asyncio.gather(*(wire.call("POST", "dsp/negotiations", self.order) for _ in range(count)))
        while await wire.call("GET", "dsp/negotiations?open=true&limit=1"):
            await asyncio.sleep(0.01)

    async def one(self, wire):
        began = time.perf_counter()
        id = (await wire.call("POST", "dsp/negotiations", self.order))["id"]
        while (state := (await wire.call("GET", f"dsp/negotiations/{id}"))["state"]) not in FINAL:
            await asyncio.sleep(0.001)
        if state != "FINALIZED":
            raise RuntimeError(f"negotiation {id} is {state}")
        return time.perf_counter() - began


class Theirs:
    """Two of EDC."""

    def __init__(self, directory):
        self.provider = Edc("edc-provider", free_ports(7), directory)
        self.consumer = Edc("edc-consumer", free_ports(7), directory)
        try:
            self.provider.wait()
            self.consumer.wait()
            self.provider.sell(DATASET)
            self.offer = self.consumer.offer(self.provider.address, self.provider.name, DATASET)
        except BaseException:
            self.stop()
            raise

    def stop(self):
        self.provider.stop()
        self.consumer.stop()

    def begin(self):
        return self.consumer.request(self.provider.address, self.provider.name, self.offer)

    def until_final(self, negotiation, pause):
        while (state := self.consumer.state(negotiation)) not in FINAL:
            time.sleep(pause)
        return state

    def measure(self, count, singles):
        self.until_final(self.begin(), 0.05)  # Its classes are loaded by the first one.
        took = []
        for _ in range(singles):
            began = time.perf_counter()
            self.until_final(self.begin(), 0.01)
            took.append(time.perf_counter() - began)
        began = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(24) as threads:
            ids = list(threads.map(lambda _: self.begin(), range(count)))
        # One is asked after the other, so that asking costs it next to nothing.
        states = [self.until_final(id, 0.1) for id in ids]
        seconds = time.perf_counter() - began
        lost = count - states.count("FINALIZED")
        return states.count("FINALIZED") / seconds, statistics.median(took), lost


def main():
    arguments = argparse.ArgumentParser(prog="benches/edc/run", description="Ours next to two of EDC 0.15.1.")
    arguments.add_argument("--count", type=int, default=1000, help="how many at once (1000)")
    arguments.add_argument("--singles", type=int, default=21, help="how many, one after the other, of ours (21)")
    arguments.add_argument("--ours", action="store_true", help="only ours, without EDC")
    chosen = arguments.parse_args()
    missing = [] if chosen.ours else missing_tools()
    if missing:
        print(f"SKIPPED: nothing to compare with: {', '.join(missing)} missing (packages maven, openjdk-17-jdk-headless)")
        return 0 if os.environ.get("COUNTERSIGN_MAY_SKIP") == "1" else 77
    TARGET.mkdir(parents=True, exist_ok=True)
    directory = tempfile.mkdtemp(prefix="bench-", dir=TARGET)
    ours = Ours(directory)
    try:
        throughput, latency = asyncio.run(ours.measure(chosen.count, chosen.singles))
    finally:
        ours.stop()
    print("what differs from the shipped configuration (benches/edc/differences.toml):")
    print(listed(DIFFERENCES))
    print(f"ours: {throughput:.0f}/s of {chosen.count} at once, one in {latency * 1000:.1f} ms (median of {chosen.singles})", flush=True)
    if chosen.ours:
        return 0
    theirs = Theirs(directory)
    try:
        their_throughput, their_latency, lost = theirs.measure(chosen.count, 5)
    finally:
        theirs.stop()
    subprocess.run(["rm", "-rf", directory], check=True)
    print(
        f"EDC:  {their_throughput:.1f}/s of {chosen.count} at once ({lost} lost), one in {their_latency * 1000:.0f} ms (median of 5)"
    )
    ratios = {"throughput": throughput / their_throughput, "latency": their_latency / latency}
    for name, goal in GOALS.items():
        print(f"goal {name} {goal} x: {'reached' if ratios[name] >= goal else 'MISSED'}")
    print(f"throughput {ratios['throughput']:.1f} x, latency {ratios['latency']:.1f} x of EDC 0.15.1")
    return 0


if __name__ == "__main__":
    sys.exit(main())
