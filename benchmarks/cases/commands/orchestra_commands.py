"""orchestra, a CommandPlayer for each."""

from harness.supervising import main, program

main(program("commands.py"))
