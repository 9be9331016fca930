"""from orchestra import Conductor, Context, run."""

from harness.importing import measure_import

if __name__ == "__main__":
    measure_import("orchestra", "Conductor", "Context", "run", after="asyncio")
