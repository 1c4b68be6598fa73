"""An Eclipse Dataspace Components connector as a process, and the calls of its management API that the suites need."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from jars import ROOT, jars

POM = ROOT / "tests" / "edc" / "pom.xml"
PROTOCOL = "dataspace-protocol-http:2025-1"
CONTEXT = {"@vocab": "https://w3id.org/edc/v0.0.1/ns/"}
ODRL = "http://www.w3.org/ns/odrl.jsonld"
KEY = "password"
# The terms of what it sells, and of what it asks for: nothing but that it may be used.
TERMS = {"@context": ODRL, "@type": "Set", "permission": [{"action": "use"}]}

SETTINGS = """\
edc.participant.id={name}
edc.component.id={name}
edc.hostname=localhost
web.http.port={0}
web.http.path=/api
web.http.control.port={1}
web.http.control.path=/control
web.http.management.port={2}
web.http.management.path=/management
web.http.management.auth.type=tokenbased
web.http.management.auth.key={key}
web.http.protocol.port={3}
web.http.protocol.path=/protocol
edc.dsp.callback.address=http://localhost:{3}/protocol
web.http.version.port={4}
web.http.version.path=/version
web.http.catalog.port={5}
web.http.catalog.path=/catalog
web.http.signaling.port={6}
web.http.signaling.path=/signaling
edc.transfer.proxy.token.signer.privatekey.alias=none
edc.transfer.proxy.token.verifier.publickey.alias=none
"""
LOOP = "edc.negotiation.{role}.state-machine.iteration-wait-millis={ms}\n"


class Edc:
    """A connector in memory, with the identity mock: who it is stands in plain text in a header."""

    def __init__(self, name, ports, directory, loop_ms=None):
        """`ports`: seven free ones. `loop_ms`: how long its state machines sleep, where it is not their default."""
        self.name, self.ports = name, ports
        self.log = Path(directory) / f"{name}.log"
        settings = Path(directory) / f"{name}.properties"
        text = SETTINGS.format(*ports, name=name, key=KEY)
        if loop_ms is not None:
            text += "".join(LOOP.format(role=role, ms=loop_ms) for role in ("consumer", "provider"))
        settings.write_text(text)
        lib = jars(POM, "edc")
        command = ["java", f"-Dedc.fs.config={settings}", "-cp", f"{lib}/*"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "org.eclipse.edc.boot.system.runtime.BaseRuntime"], stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def address(self):
        """Where it speaks the Dataspace Protocol."""
        return f"http://localhost:{self.ports[3]}/protocol/2025-1"

    @property
    def authorization(self):
        """The header that makes others, in its eyes, itself."""
        return identity(self.name)

    def wait(self, seconds=90):
        """Until it is up."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended: see {self.log}\n{self.log.read_text()[-2000:]}")
            if " ready" in self.log.read_text(errors="replace"):
                return self
            time.sleep(0.2)
        raise RuntimeError(f"{self.name} is not up after {seconds} s: see {self.log}")

    def stop(self):
        """Ends it."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def call(self, method, path, body=None):
        """A call of its management API; the answer as JSON, if there is one."""
        data = None if body is None else json.dumps({"@context": CONTEXT, **body}).encode()
        request = urllib.request.Request(
            f"http://localhost:{self.ports[2]}/management/v3/{path}",
            data=data,
            method=method,
            headers={"X-Api-Key": KEY, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from error
        return json.loads(text) if text else None

    def sell(self, asset):
        """Puts an asset into its catalog, for everybody."""
        self.call("POST", "assets", {"@id": asset, "properties": {}, "dataAddress": {"type": "HttpData", "baseUrl": "http://localhost/nothing"}})
        self.call("POST", "policydefinitions", {"@id": f"policy-{asset}", "policy": TERMS})
        self.call(
            "POST",
            "contractdefinitions",
            {
                "@id": f"definition-{asset}",
                "accessPolicyId": f"policy-{asset}",
                "contractPolicyId": f"policy-{asset}",
                "assetsSelector": [
                    {"@type": "Criterion", "operandLeft": "https://w3id.org/edc/v0.0.1/ns/id", "operator": "=", "operandRight": asset}
                ],
            },
        )

    def catalog(self, address, counterparty):
        """Another connector's catalog, as this one reads it."""
        ask = {"counterPartyAddress": address, "counterPartyId": counterparty, "protocol": PROTOCOL}
        return self.call("POST", "catalog/request", ask)

    def offer(self, address, counterparty, asset):
        """The offer for an asset in another connector's catalog, as this one would request it."""
        catalog = self.catalog(address, counterparty)
        for dataset in catalog.get("dataset", []):
            if dataset["@id"] == asset:
                return {"@context": ODRL, **dataset["hasPolicy"][0], "assigner": counterparty, "target": asset}
        raise RuntimeError(f"no dataset {asset} in {catalog}")

    def request(self, address, counterparty, offer):
        """Begins a negotiation as the consumer; its id."""
        ask = {
            "@type": "ContractRequest",
            "counterPartyAddress": address,
            "counterPartyId": counterparty,
            "protocol": PROTOCOL,
            "policy": offer,
        }
        return self.call("POST", "contractnegotiations", ask)["@id"]

    def state(self, negotiation):
        """The state of one of its negotiations."""
        return self.call("GET", f"contractnegotiations/{negotiation}/state")["state"]

    def negotiations(self, limit=5000):
        """All its negotiations."""
        return self.call("POST", "contractnegotiations/request", {"@type": "QuerySpec", "offset": 0, "limit": limit})

    def terminate(self, negotiation, reason):
        """Ends a negotiation, for a reason."""
        body = {"@type": "TerminateNegotiation", "@id": negotiation, "reason": reason}
        self.call("POST", f"contractnegotiations/{negotiation}/terminate", body)


def identity(participant):
    """The header by which the identity mock knows a participant."""
    return json.dumps({"audience": None, "clientId": participant}, separators=(",", ":"))
