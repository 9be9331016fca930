"""uvicorn."""

from harness.farewell import main

main("bare", "uvicorn")
