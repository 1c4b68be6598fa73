"""Reads the demo's evidence: evidence.py FILE held | wait PID | trust | contracts DIRECTORY."""

import json
import os
import pathlib
import sys
import time

file, what = pathlib.Path(sys.argv[1]), sys.argv[2]


def read():
    return json.loads(file.read_text())


if what == "wait":  # until the document is whole: the demo writes it once and goes on running
    for _ in range(600):
        try:
            read()
            break
        except ValueError:
            time.sleep(0.5)
        os.kill(int(sys.argv[3]), 0)  # fails once that process is gone
    else:
        sys.exit("the demo wrote no evidence in five minutes")
elif what == "held":
    evidence = read()
    if evidence["held"] is not True or not evidence["contracts"]:
        sys.exit("the demo's promises did not hold")
    refused = sorted({refusal["case"] for refusal in evidence["gate"]["refused"]})
    print(f"held; {len(evidence['contracts'])} contracts; refused: {', '.join(refused)}")
elif what == "trust":
    print(read()["trust"])
elif what == "contracts":
    for number, contract in enumerate(read()["contracts"]):
        path = pathlib.Path(sys.argv[3]) / f"contract-{number}.json"
        path.write_text(json.dumps(contract, ensure_ascii=False))
        print(path)
else:
    sys.exit(__doc__)
