"""multiprocessing, spawn and terminate, and nothing else."""

from harness.supervising import main, program

main(program("bare_processes.py"))
