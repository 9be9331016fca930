"""A program that tells what becomes of it: `tell.py NAME WHAT`, a line a run and a signal in NAME.log.

WHAT is `stay`, `deaf` (it does not stop for SIGTERM), or the number of an exit code to end with when somebody
writes the file NAME.end, which it takes away.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

name, what = sys.argv[1:]
place = Path(os.environ["PLACE"])


def tell(event, **more):
    with (place / f"{name}.log").open("a") as file:
        file.write(json.dumps({"event": event, "time": time.monotonic(), **more}) + "\n")


def heard(signum, frame):
    tell(signal.Signals(signum).name)
    if what != "deaf":
        sys.exit(0)


for one in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
    signal.signal(one, heard)
env = {key: os.environ.get(key) for key in ("GREETING", "WHO")}
tell("started", pid=os.getpid(), cwd=os.getcwd(), umask=os.umask(0), env=env)
print(f"{name} is here", flush=True)
while True:
    time.sleep(0.02)
    end = place / f"{name}.end"
    if end.exists():
        end.unlink()
        tell("ends")
        if what == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        sys.exit(int(what))
