"""What a process has of the program's main module."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestra import ProcessPlayer

pytestmark = pytest.mark.real_time

HERE = Path(__file__).parent

PLAYS_A_MODULES_FUNCTION = """
import process_plays
from orchestra import ProcessPlayer, run
run(ProcessPlayer(process_plays.ends))
print("played")
"""

PLAYS_ITS_OWN_FUNCTION = """
from orchestra import ProcessPlayer
async def own(): ...
ProcessPlayer(own)
"""


def python(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=HERE, input=stdin, capture_output=True, text=True
    )


@pytest.mark.parametrize("how", ["stdin", "-c"])
def test_a_program_may_be_piped_or_typed_in(how: str) -> None:
    """What plays only has to be in a module, and what is not is refused at once."""
    played, refused = (
        python(stdin=code) if how == "stdin" else python("-c", code)
        for code in (PLAYS_A_MODULES_FUNCTION, PLAYS_ITS_OWN_FUNCTION)
    )
    assert (played.stdout, played.stderr) == ("played\n", "")
    assert refused.stderr.splitlines()[-1] == (
        "TypeError: PlayerFunc(own) can't be sent to another process: it needs what is defined in "
        "__main__, which is no file that could be imported there. Put it in a module"
    )


def test_a_program_without_a_guard_is_told(tmp_path: Path) -> None:
    """A main module that starts a process whenever it is imported hears what it lacks."""
    (tmp_path / "no_guard.py").write_text(
        f"import sys; sys.path.append({str(HERE)!r})\n{PLAYS_A_MODULES_FUNCTION}"
    )
    ended = python(str(tmp_path / "no_guard.py"))
    assert ended.returncode == 1
    assert 'belongs under `if __name__ == "__main__":`' in ended.stderr


def test_a_loop_factory_is_called() -> None:
    """What can't be called is refused at once."""
    with pytest.raises(TypeError, match="loop_factory has to be a function, not 3"):
        ProcessPlayer(print, loop_factory=3)  # type: ignore[arg-type]
