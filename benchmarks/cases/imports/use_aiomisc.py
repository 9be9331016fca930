"""from aiomisc import Service, entrypoint."""

from harness.importing import measure_import

if __name__ == "__main__":
    measure_import("aiomisc", "Service", "entrypoint", after="asyncio")
