"""from orchestra import Conductor, Context, run."""

from harness.importing import measure_import

measure_import("orchestra", "Conductor", "Context", "run", after="asyncio")
