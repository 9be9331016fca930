"""from anyio import Event, create_task_group, run."""

from harness.importing import measure_import

measure_import("anyio", "Event", "create_task_group", "run", after="asyncio")
