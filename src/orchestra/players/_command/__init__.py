"""How a command plays: `run` is one run of it, `execution` has it started and ended in any case.

`output` reads what it prints, and `health` asks its probes. What starts commands is `orchestra._launch`.
"""
