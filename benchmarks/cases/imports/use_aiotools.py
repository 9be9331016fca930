"""from aiotools import Supervisor."""

from harness.importing import measure_import

measure_import("aiotools", "Supervisor", after="asyncio")
