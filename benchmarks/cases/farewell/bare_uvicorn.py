"""uvicorn."""

from harness.farewell import main

if __name__ == "__main__":
    main("bare", "uvicorn")
