"""granian, asyncio's loop, a process for it."""

from harness.serving import main

if __name__ == "__main__":
    main("granian")
