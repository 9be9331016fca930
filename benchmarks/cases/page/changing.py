"""the live page, all players change ten times a second."""

from harness.page import main

if __name__ == "__main__":
    main(rate=10)
