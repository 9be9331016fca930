"""the live page, all players change ten times a second, and it is scrolled all the time."""

from harness.page import main

main(rate=10, scrolls=True)
