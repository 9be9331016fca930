"""The public names are imported when somebody asks for them."""

import subprocess
import sys

import orchestra


def alone(code: str) -> str:
    """What is printed by a Python that has imported nothing yet."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_package_alone():
    """`import orchestra` loads neither an event loop nor any other module of its own."""
    loaded = "[one for one in sys.modules if one == 'asyncio' or one.startswith('orchestra.')]"
    assert alone(f"import sys, orchestra; print({loaded})") == "[]"


def test_a_plain_function():
    """A function becomes a thread player also where nobody has asked for `ThreadPlayer`."""
    code = "from orchestra import as_player; print(as_player(lambda: None))"
    assert alone(code) == "ThreadPlayer(<lambda>)"


def test_the_entry_points():
    """No module takes the place of a name that is public."""
    code = "import orchestra.entry_points, orchestra; print(callable(orchestra.run))"
    assert alone(code) == "True"


def test_all_names():
    """All names are listed by `dir`, and none has a module of the package beside it."""
    assert set(orchestra.__all__) <= set(dir(orchestra))
    modules = "from pkgutil import iter_modules; import orchestra; "
    code = modules + "print(*(one.name for one in iter_modules(orchestra.__path__)))"
    assert not set(alone(code).split()) & set(orchestra.__all__)


def test_other_names():
    """A name that there is not is an `AttributeError`, as ever."""
    assert not hasattr(orchestra, "Maestro")
