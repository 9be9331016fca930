"""from quattro import TaskGroup."""

from harness.importing import measure_import

measure_import("quattro", "TaskGroup", after="asyncio")
