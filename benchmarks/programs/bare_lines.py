"""Reads the lines of a command and prints each with its time, the shortest way there is."""

import shlex
import subprocess
import sys
import time

child = subprocess.Popen(shlex.split(sys.argv[1]), stdout=subprocess.PIPE)
assert child.stdout is not None
for line in child.stdout:
    text = line.decode("utf-8", "replace").rstrip("\n")
    print(f"{time.strftime('%H:%M:%S')} child | {text}", flush=True)
child.wait()
