"""What Maven fetches by coordinates, kept under target/ and fetched again when the pom changes."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "target" / "peers"


def missing_tools():
    """The tools of a Java peer that this machine does not have."""
    return [tool for tool in ("java", "javac", "mvn") if shutil.which(tool) is None]


def jars(pom, name):
    """The directory with the jars that a pom names, with all that they need."""
    text = Path(pom).read_bytes()
    lib = TARGET / name / hashlib.sha256(text).hexdigest()[:16]
    whole = lib / "whole"
    if not whole.exists():
        shutil.rmtree(lib.parent, ignore_errors=True)
        lib.mkdir(parents=True)
        print(f"fetching {name} by its coordinates", file=sys.stderr, flush=True)
        subprocess.run(
            ["mvn", "--batch-mode", "--quiet", "-f", str(pom), f"-DoutputDirectory={lib}", "dependency:copy-dependencies"],
            check=True,
            stdout=sys.stderr,
        )
        whole.touch()
    return lib


def compiled(source, lib, name):
    """The directory with the classes of one Java file, compiled against the jars of `lib`."""
    classes = TARGET / f"{name}-classes"
    built = classes / "built-from"
    text = Path(source).read_bytes()
    if not built.exists() or built.read_bytes() != text:
        shutil.rmtree(classes, ignore_errors=True)
        classes.mkdir(parents=True)
        subprocess.run(["javac", "-cp", f"{lib}/*", "-d", str(classes), str(source)], check=True)
        built.write_bytes(text)
    return classes
