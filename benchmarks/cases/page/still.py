"""the live page, nothing changes."""

from harness.page import main

if __name__ == "__main__":
    main(rate=0)
