"""from quattro import TaskGroup."""

from harness.importing import measure_import

if __name__ == "__main__":
    measure_import("quattro", "TaskGroup", after="asyncio")
