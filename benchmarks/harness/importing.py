"""The frame of the import cases; it imports nothing that what is measured might need itself."""

import sys
import time


def measure_import(name: str, *uses: str, after: str | None = None) -> None:
    """Report the seconds of one import, and of getting the names used, in this fresh interpreter."""
    if after is not None:
        __import__(after)
    if name in sys.modules:
        raise AssertionError(f"{name} was imported before the clock started")
    before = len(sys.modules)
    start = time.perf_counter()
    module = __import__(name)
    for use in uses:
        getattr(module, use)
    seconds = time.perf_counter() - start
    modules = len(sys.modules) - before

    from harness.case import report  # only now: it imports more

    report(seconds, modules=modules)
