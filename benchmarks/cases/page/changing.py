"""the live page, all players change ten times a second."""

from harness.page import main

main(rate=10)
