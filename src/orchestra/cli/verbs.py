"""The verbs of the command line: where each lives, and what the help says of it.

Said here and not by the verbs themselves, so that `orchestra --help` imports none of them.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Verb(NamedTuple):
    """A verb: the module of this package that has its command under the verb's name, and its help."""

    module: str
    help: str


VERBS: Final = {
    "play": Verb("play", "Play a target, an orchestra.toml or a Procfile until the end or Ctrl-C."),
    "check": Verb("check", "Load and validate, and draw the tree; nothing starts."),
    "status": Verb("status", "Show what plays, and how it is."),
    "logs": Verb("logs", "Show what was logged."),
    "stack": Verb("stack", "Show where a player is right now."),
    "start": Verb("steering", "Start players that do not play."),
    "stop": Verb("steering", "Stop players gracefully; without a path, the whole program."),
    "restart": Verb("steering", "Stop players gracefully and start them again."),
    "scale": Verb("steering", "Have so many copies of a player."),
    "wait": Verb("wait", "Wait until players are ready, stopped or done."),
    "reload": Verb("steering", "Read the file again, show what changed, and apply it."),
    "list": Verb("finding", "Show the programs of this user."),
    "open": Verb("finding", "Open the live page of a program."),
    "import": Verb("importing", "Turn a file of another tool into an orchestra.toml."),
    "demo": Verb("showing", "Play the demo."),
    "completion": Verb("showing", "Print the completion script of a shell."),
}
