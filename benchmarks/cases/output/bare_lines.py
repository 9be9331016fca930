"""a loop over the lines of a pipe, each printed with its time."""

from harness.flooding import main, program

main(program("bare_lines.py"))
