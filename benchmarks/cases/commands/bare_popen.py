"""subprocess.Popen and terminate, and nothing else."""

from harness.supervising import main, program

main(program("bare_children.py"))
