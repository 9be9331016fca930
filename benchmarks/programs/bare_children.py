"""Starts commands, and on SIGTERM terminates and awaits them: what nobody could do with less.

It ends no group, reads no output, and would leave all of them behind if it were killed.
"""

import shlex
import signal
import subprocess
import sys

command, size = shlex.split(sys.argv[2]), int(sys.argv[3])
children: list[subprocess.Popen[bytes]] = []
told = False


def tell(*_: object) -> None:
    global told
    told = True


signal.signal(signal.SIGTERM, tell)
for _ in range(size):
    children.append(subprocess.Popen(command))
while not told:
    signal.sigtimedwait([], 0.001)
for child in children:
    child.terminate()
for child in children:
    child.wait()
