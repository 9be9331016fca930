"""Probes: ways to find out whether a program is ready, and whether it still serves.

>>> from orchestra import CommandPlayer
>>> from orchestra.probes import tcp
>>> server = tcp("127.0.0.1", 6379)
>>> redis = CommandPlayer("redis-server --port 6379", ready=server, alive=server)
"""

from .connecting import http, tcp
from .looking import after, command, output
from .probe import Check, Probe, Program

__all__ = ["Check", "Probe", "Program", "after", "command", "http", "output", "tcp"]
