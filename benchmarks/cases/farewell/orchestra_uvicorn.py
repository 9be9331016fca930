"""orchestra, uvicorn."""

from harness.farewell import main

main("orchestra", "uvicorn")
