"""orchestra, a ProcessPlayer for each, forkserver."""

from harness.supervising import main, program

main(program("processes.py", "forkserver"))
