"""from mode import Service."""

from harness.importing import measure_import

if __name__ == "__main__":
    measure_import("mode", "Service", after="asyncio")
