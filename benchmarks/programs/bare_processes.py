"""Starts so many Python processes with `multiprocessing`, and terminates them on SIGTERM."""

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path


def child(folder: str) -> None:
    """Say that it runs, and wait."""
    Path(folder, "pids", str(os.getpid())).touch()
    time.sleep(3600)


def main() -> None:
    folder, size = sys.argv[1], int(sys.argv[3])
    told: list[object] = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(True))
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=child, args=(folder,)) for _ in range(size)]
    for one in children:
        one.start()
    while not told:
        signal.sigtimedwait([], 0.001)
    for one in children:
        one.terminate()
    for one in children:
        one.join()


if __name__ == "__main__":
    main()
