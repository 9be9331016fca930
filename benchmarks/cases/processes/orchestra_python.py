"""orchestra, a CommandPlayer for each, `python child.py`."""

from harness.supervising import main, program

main(program("commands.py"), python=True)
