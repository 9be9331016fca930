"""import asyncio."""

from harness.importing import measure_import

measure_import("asyncio")
