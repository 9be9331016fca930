"""orchestra, standard logging, each line with its time."""

from harness.flooding import main, program

main(program("flood.py", "logging"))
