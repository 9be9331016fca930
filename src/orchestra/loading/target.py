"""A target in code, such as `package.module:attribute`, and the player that it names."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from ..conductor import Conductor
from ..errors import did_you_mean, nearest
from ..player import Player, as_player
from .errors import LoadError, UserCodeError

USUAL_NAMES: Final = ("conductor", "player", "main")
"""What is played of a module if it has no attribute that was asked for, the first that is there."""

_DOTTED: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*").fullmatch
_EXAMPLE: Final = "such as package.module:conductor, package.module:make() or app.py"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a player is: in a module or a Python file, which attribute, and whether to call it.

    >>> Target.parse("shop.main:make()")
    Target(module='shop.main', file=None, attribute='make', called=True)
    """

    module: str = ""
    file: Path | None = None
    attribute: str = ""
    called: bool = False

    @classmethod
    def parse(cls, text: str) -> Target:
        """The parts of a target; raises `LoadError` for what is none."""
        place, colon, attribute = _split(text)
        called = attribute.endswith("()")
        attribute = attribute.removesuffix("()").strip()
        if (colon and not attribute) or (attribute and not _DOTTED(attribute)):
            raise LoadError(f"{text!r} is no target: after the colon comes a name, {_EXAMPLE}")
        if place.endswith(".py"):
            return cls("", Path(place), attribute, called)
        if not _DOTTED(place):
            raise LoadError(f"{text!r} is no target: a target is a name in code, {_EXAMPLE}")
        return cls(place, None, attribute, called)

    def within(self, folder: Path) -> Target:
        """The same, with its file found from this folder on."""
        return self if self.file is None else replace(self, file=folder / self.file)

    def __str__(self) -> str:
        place = self.module or str(self.file)
        return f"{place}:{self.attribute}{'()' * self.called}" if self.attribute else place


def _split(text: str) -> tuple[str, str, str]:
    place, colon, attribute = text.strip().rpartition(":")
    # A path may have a colon of its own, as on Windows.
    if not colon or (attribute.endswith(".py") and not place.endswith(".py")):
        return text.strip(), "", ""
    return place, colon, attribute


def load_target(
    target: Target, *, app_dir: Path = Path(), factory: bool = False, args: Sequence[Any] = ()
) -> Player:
    """The player that a target names, made by a call with `args` where it says so, or `factory`.

    Modules are found in `app_dir` first. Raises `LoadError` for a name that is not there, with the
    nearest, and for what is no player, with what is; `UserCodeError` for what the code raised.
    """
    module = _import(target, app_dir)
    name = target.attribute or _usual_name(module, target)
    found = _attribute(module, name, target)
    if target.called or factory:
        found = _call(found, args, name, target)
    elif args:
        raise LoadError(
            f"args are for a target that is called: {target.module or target.file}:{name}()"
        )
    elif made := _makes_a_player(found):
        raise LoadError(
            f"{name} in {target} makes a {made}: say {target.module or target.file}:{name}()"
        )
    return _as_player(found, name, module, target)


def _import(target: Target, app_dir: Path) -> ModuleType:
    if target.file is not None:
        return _import_file(target.file)
    folder = str(app_dir.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(target.module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing == target.module or target.module.startswith(f"{missing}."):
            raise LoadError(_no_module(missing)) from None
        raise UserCodeError(error) from None
    except (Exception, SystemExit) as error:
        raise UserCodeError(error) from None


def _import_file(file: Path) -> ModuleType:
    if not file.is_file():
        names = [str(one) for one in _siblings(file) if one.suffix == ".py"]
        raise LoadError(f"there is no file {str(file)!r}. {nearest(str(file), names)}")
    # As Python does for a script, so that it finds the modules beside it.
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = file.stem if file.stem.isidentifier() else f"_{abs(hash(str(file.resolve())))}"
    known = sys.modules.get(name)
    if known is not None and _is_file(known, file):
        return known
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if known is None:
        sys.modules[name] = module  # so that what it defines can be pickled, and found by name
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        if known is None:
            del sys.modules[name]
        raise UserCodeError(error) from None
    return module


def _is_file(module: ModuleType, file: Path) -> bool:
    origin = getattr(module, "__file__", None)
    return origin is not None and Path(origin).resolve() == file.resolve()


def _siblings(file: Path) -> list[Path]:
    try:
        return sorted(file.parent.iterdir())
    except OSError:
        return []


def _no_module(name: str) -> str:
    above = name.rpartition(".")[0]
    try:
        paths = sys.modules[above].__path__ if above else sys.path[:1]
        beside = [one.name for one in pkgutil.iter_modules(list(paths))]
    except (KeyError, AttributeError):
        return f"there is no module {name!r}, because {above!r} is no package"
    if not beside:
        return f"there is no module {name!r}, and none at all in {next(iter(paths), 'its folder')}"
    return f"there is no module {name!r}. {nearest(name, [f'{above}.{one}' if above else one for one in beside])}"


def _usual_name(module: ModuleType, target: Target) -> str:
    for name in USUAL_NAMES:
        if hasattr(module, name):
            return name
    names = [name for name, value in vars(module).items() if isinstance(value, Conductor)]
    if len(names) == 1:
        return names[0]
    what = f"has no {', '.join(USUAL_NAMES[:-1])} or {USUAL_NAMES[-1]}"
    raise LoadError(f"{target} {what}. {_candidates(module, target)}")


def _attribute(module: ModuleType, dotted: str, target: Target) -> Any:
    found: Any = module
    for name in dotted.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            known = [one for one in dir(found) if not one.startswith("_")]
            what = f"{target.module or target.file} has no {dotted!r}"
            hint = did_you_mean(name, known) or _candidates(module, target)
            raise LoadError(f"{what}. {hint}") from None
        except Exception as error:
            raise UserCodeError(error) from None
    return found


def _call(found: Any, args: Sequence[Any], name: str, target: Target) -> Any:
    if not callable(found):
        raise LoadError(f"{name} in {target} can't be called: it is {_described(found)}")
    try:
        made = found(*args)
    except (Exception, SystemExit) as error:
        if isinstance(error, TypeError) and error.__traceback__ and not error.__traceback__.tb_next:
            how = f"with {len(args)}" if args else "without"
            raise LoadError(
                f"{name} in {target} can't be called {how} arguments: {error}"
            ) from None
        raise UserCodeError(error) from None
    if inspect.iscoroutine(made):
        made.close()
        raise LoadError(f"{name} in {target} is async: it plays by itself, without the ()")
    return made


def _makes_a_player(found: Any) -> str:
    """What a function says that it returns, if that is a player: then it is meant to be called."""
    if not inspect.isfunction(found) or inspect.iscoroutinefunction(found):
        return ""
    returned = found.__annotations__.get("return")
    if isinstance(returned, str):
        name = returned.rpartition(".")[2]
        return name if name == "Conductor" or name.endswith("Player") else ""
    return returned.__name__ if isinstance(returned, type) and hasattr(returned, "play") else ""


def _as_player(found: Any, name: str, module: ModuleType, target: Target) -> Player:
    try:
        return as_player(found)
    except TypeError as error:
        described, _, why = str(error).partition(" is no player: ")
        what = _server_hint(found) or f"{name} in {target} is {described}, and no player: {why}"
        raise LoadError(f"{what}. {_candidates(module, target)}") from None


def _server_hint(found: Any) -> str:
    from ..servers.apps import FACTORY, kind_of_app

    kind = kind_of_app(found)
    if kind is None or kind is FACTORY:
        return ""
    return f"{_described(found)} is an application, and no player: wrap it in ServerPlayer(...) ({kind.name})"


def _candidates(module: ModuleType, target: Target) -> str:
    names = sorted(_players_of(module))
    if not names:
        return "There is no player in this module"
    place = target.module or target.file
    return "Players in this module: " + ", ".join(f"{place}:{name}" for name in names)


def _players_of(module: ModuleType) -> Iterable[str]:
    for name, value in vars(module).items():
        if name.startswith("_") or inspect.isclass(value) or inspect.ismodule(value):
            continue
        own = getattr(value, "__module__", module.__name__) == module.__name__
        if inspect.isfunction(value):
            # A plain function may be anything, an async one that takes a context hardly.
            if own and inspect.iscoroutinefunction(value):
                yield name
            elif own and _makes_a_player(value):
                yield f"{name}()"
        elif inspect.iscoroutinefunction(getattr(value, "play", None)):
            yield name


def _described(value: object) -> str:
    return f"{value!r} of type {type(value).__name__}"
