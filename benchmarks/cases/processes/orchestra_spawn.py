"""orchestra, a ProcessPlayer for each, spawn."""

from harness.supervising import main, program

main(program("processes.py", "spawn"))
