"""the live page, nothing changes."""

from harness.page import main

main(rate=0)
