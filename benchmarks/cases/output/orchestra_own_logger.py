"""orchestra, a Logger of one's own that writes to stdout."""

from harness.flooding import main, program

main(program("flood.py", "logger"))
