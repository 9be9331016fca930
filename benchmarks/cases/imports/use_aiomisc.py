"""from aiomisc import Service, entrypoint."""

from harness.importing import measure_import

measure_import("aiomisc", "Service", "entrypoint", after="asyncio")
