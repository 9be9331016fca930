"""import orchestra."""

from harness.importing import measure_import

if __name__ == "__main__":
    measure_import("orchestra", after="asyncio")
