"""The options that say what to play and how, and what they come to."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from .address import Address
from .parameters import COPIES, DURATION

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class WishCommand(click.Command):
    """A command whose `--web` may do without a value, and never takes the target for one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        end = args.index("--") if "--" in args else len(args)
        args[:end] = ["--web=" if one == "--web" else one for one in args[:end]]
        return super().parse_args(ctx, args)


def _complete_file(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


_WISHES: Final = (
    click.argument("target", required=False, shell_complete=_complete_file),
    click.option(
        "--app-dir",
        type=click.Path(exists=True, file_okay=False),
        help="Where modules are found, instead of the folder.",
    ),
    click.option(
        "--env-file",
        "env_files",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False),
        help="A file of environment variables; may be given again.",
    ),
    click.option("--factory", is_flag=True, help="Call the attribute to make the player."),
    click.option(
        "--only", multiple=True, metavar="PATH", help="Play these players, and no others."
    ),
    click.option("--except", "but", multiple=True, metavar="PATH", help="Leave these players out."),
    click.option("--scale", multiple=True, type=COPIES, help="So many copies, as in web=3."),
    click.option("--timeout", type=DURATION, help="How long the players have to stop, as in 20s."),
    click.option(
        "--drain-delay",
        type=DURATION,
        help="How long it goes on, not ready any more, after the first signal.",
    ),
)


def wish_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what to play, which `play` and `check` share."""
    return functools.reduce(lambda made, option: option(made), reversed(_WISHES), command)


def wish_from(given: dict[str, Any]) -> Any:
    """What is to be played."""
    from ..loading.choice import Choice
    from ..loading.program import Wish

    choice = Choice(_paths(given["only"]), _paths(given["but"]), dict(given["scale"]))
    app_dir = given["app_dir"]
    return Wish(
        given["target"],
        Path(),
        None if app_dir is None else Path(app_dir),
        tuple(map(Path, given["env_files"])),
        given["factory"],
        choice,
        given["timeout"],
        given["drain_delay"],
    )


def _paths(given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(path.strip() for one in given for path in one.split(",") if path.strip())


def look_from(given: dict[str, Any]) -> Any:
    """How it is to be shown."""
    from .sight import Look

    level: int = getattr(logging, given["log_level"].upper())
    return Look(
        level, given["log_format"], given["timestamps"], not given["no_prefix"], given["color"]
    )


@dataclass(frozen=True, slots=True)
class Reach:
    """What a program has around it: a control, a page, a look at its files, a loop."""

    control: bool = True
    web: Address | None = None
    reload: bool = False
    reload_dirs: tuple[Path, ...] = ()
    uvloop: bool = False


def reach_from(given: dict[str, Any]) -> Reach:
    """What is to be around it; raises `click.UsageError` for what excludes each other."""
    web = None
    if given["web"] is not None:
        if given["no_control"]:
            raise click.UsageError("--web and --no-control exclude each other")
        try:
            web = Address.parse(given["web"])
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--web") from None
    if given["reload_dirs"] and not given["reload"]:
        raise click.UsageError("--reload-dir goes with --reload")
    dirs = tuple(map(Path, given["reload_dirs"]))
    return Reach(not given["no_control"], web, given["reload"], dirs, given["uvloop"])
