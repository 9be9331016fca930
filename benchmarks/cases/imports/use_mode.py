"""from mode import Service."""

from harness.importing import measure_import

measure_import("mode", "Service", after="asyncio")
