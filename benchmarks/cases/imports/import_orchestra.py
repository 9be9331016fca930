"""import orchestra."""

from harness.importing import measure_import

measure_import("orchestra", after="asyncio")
