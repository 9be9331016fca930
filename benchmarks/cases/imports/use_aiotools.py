"""from aiotools import Supervisor."""

from harness.importing import measure_import

if __name__ == "__main__":
    measure_import("aiotools", "Supervisor", after="asyncio")
