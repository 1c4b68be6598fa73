"""Our node as a process: the release binary, a home of its own, the configuration as `init` ships it with listed differences."""

import json
import os
import random
import re
import secrets
import socket
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

from jars import ROOT


def binary():
    """The release binary of these sources, built where it is not. `COUNTERSIGN_BINARY` names another one."""
    named = os.environ.get("COUNTERSIGN_BINARY")
    if named:
        return Path(named)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=ROOT, check=True, stdout=sys.stderr)
    return target / "release" / "countersign"


class Town:
    """A directory for everything that runs, and the development chain that each wallet wants to know."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.binary = binary()
        self.passphrase = self.directory / "passphrase"
        self.passphrase.write_text(secrets.token_urlsafe(24) + "\n")
        self.passphrase.chmod(0o600)
        self.environment = {**os.environ, "COUNTERSIGN_PASSPHRASE_FILE": str(self.passphrase)}
        self.running, self.made = [], {}
        key = self.directory / "deployer"
        key.write_text("11" * 32 + "\n")
        key.chmod(0o600)
        # The account of that key, which pays for the registry on a chain that nobody else knows.
        account = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"
        said = self.start("chain", "chain", "--listen", "127.0.0.1:0", "--fund", f"{account}=100")
        deployed = self.run("deploy", "--rpc", said["rpc"], "--key", str(key))
        self.chain = tomllib.loads(deployed)

    def did(self, name):
        """The DID of a node of that name, which is made where it is not yet."""
        if name not in self.made:
            made = json.loads(self.run("init", "--home", str(self.directory / name), "--json"))
            self.made[name] = made["did"]
        return self.made[name]

    def run(self, *arguments):
        """Runs a command to its end; what it printed."""
        done = subprocess.run(
            [str(self.binary), *arguments], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"countersign {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, name, *arguments):
        """Starts a command that stays; the line of JSON that it prints when it is up."""
        log = self.directory / f"{name}.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [str(self.binary), *arguments], env=self.environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self.running.append(process)
        line = process.stdout.readline()
        if not line.startswith("{"):
            process.wait(10)
            raise RuntimeError(f"countersign {arguments[0]} did not start: {line}{log.read_text()}")
        return {**json.loads(line), "log": log, "process": process}

    def stop(self):
        """Ends everything that was started."""
        for process in reversed(self.running):
            process.terminate()
        for process in reversed(self.running):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


class Node:
    """A wallet that runs."""

    def __init__(self, town, name, differences, replaced=None):
        """`differences`: the file whose tables differ from the shipped configuration; `replaced`: text for its @NAMES@."""
        self.name, self.town = name, town
        self.home = town.directory / name
        self.did = town.did(name)
        path = self.home / "countersign.toml"
        shipped = tomllib.loads(path.read_text())
        text = Path(differences).read_text()
        for word, value in (replaced or {}).items():
            text = text.replace(f"@{word}@", str(value))
        configuration = merged(merged(shipped, town.chain), tomllib.loads(text.replace("@DID@", self.did)))
        path.write_text(toml(configuration))
        said = town.start(name, "serve", "--home", str(self.home))
        self.public, self.management, self.log = said["public"], said["management"], said["log"]
        self.process = said["process"]
        self.key = (self.home / "api-key").read_text().strip()

    @property
    def address(self):
        """Where it speaks the Dataspace Protocol."""
        return f"{self.public}/dsp/2025-1"

    def call(self, method, path, body=None):
        """A call of its management interface; the answer as JSON."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.management}/api/{path}", data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from error
        return json.loads(text) if text else None


    def negotiate(self, address, counterparty, dataset, offer=None, terms=None):
        """Begins a plain negotiation as the consumer; this node's id of it."""
        order = {"counterparty": counterparty, "address": address, "dataset": dataset, "offer": offer, "terms": terms}
        order = {name: value for name, value in order.items() if value is not None}
        return self.call("POST", "dsp/negotiations", order)["id"]

    def negotiation(self, id):
        """One plain negotiation."""
        return self.call("GET", f"dsp/negotiations/{id}")

    def negotiations(self, limit=1000):
        """Plain negotiations, newest first."""
        return self.call("GET", f"dsp/negotiations?limit={limit}")

    def act(self, id, act, order=None):
        """Decides in a plain negotiation."""
        return self.call("POST", f"dsp/negotiations/{id}/{act}", order or {})

    def list(self, dataset, terms=None):
        """Offers a dataset over the Dataspace Protocol."""
        terms = terms or {"permission": [{"action": "use"}]}
        self.call("POST", "dsp/datasets", {"id": dataset, "offers": [{"id": f"offer:{dataset}", "terms": terms}]})


def free_ports(count):
    """Ports that nobody listens on now, below those that the system gives to sockets that ask for any."""
    ports = []
    while len(ports) < count:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def listed(differences):
    """The differences as they are printed with a result: what stands in the file, without empty lines."""
    lines = Path(differences).read_text().splitlines()
    return "\n".join(f"  {line}" for line in lines if line.strip())


def merged(under, over):
    """Tables put over tables; everything else is replaced."""
    result = dict(under)
    for name, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(name), dict)
        result[name] = merged(result[name], value) if both else value
    return result


def toml(value):
    """A configuration as TOML: a line for each value, tables inline below the first level."""
    lines = []
    for name, table in value.items():
        lines.append(f"[{name}]")
        lines += [f"{quoted(key)} = {inline(item)}" for key, item in table.items()]
        lines.append("")
    return "\n".join(lines)


def inline(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{quoted(key)} = {inline(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    return json.dumps(value)


def quoted(key):
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)
