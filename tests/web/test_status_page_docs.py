"""The commands on the page about the status player, as a reader would run them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestra import Conductor, Context, StatusPlayer, playing_in_thread

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "status-page.md"
COMMANDS = [
    command
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for command in block.splitlines()
]


async def worker(ctx: Context) -> None:
    await ctx.wait()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the commands are curl's")
def test_the_commands_do_what_they_say(uds: str) -> None:
    """Each of them gives an answer that is no error, one after the other."""
    status = StatusPlayer(port=0, uds=uds)
    with playing_in_thread(Conductor({"worker": worker, "status": status})):
        base, _, token = str(status.url).partition("/#token=")
        environment = {"SOCKET": uds, "TOKEN": token, "PATH": "/usr/bin:/bin"}
        for command in COMMANDS:
            line = command.replace("http://127.0.0.1:8080", base).replace("curl", "curl -sS -f", 1)
            done = subprocess.run(line, shell=True, env=environment, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, ""), command
            assert done.stdout.startswith('{"version":1,'), command
    assert len(COMMANDS) > 5
