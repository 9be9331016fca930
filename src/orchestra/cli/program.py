"""The program itself: finds the verb, and turns what goes wrong into a line and an exit code."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from .verbs import VERBS


class _Verbs(click.Group):
    """A group that imports a verb when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        module = import_module(f"{__package__}.{verb.module}")
        # `import` and `list` are names that Python has taken.
        command: click.Command = getattr(module, cmd_name, None) or getattr(module, cmd_name + "_")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from ..errors import nearest

            ctx.fail(f"no verb {args[0]!r}. {nearest(args[0], list(VERBS))}")


@click.group(
    cls=_Verbs,
    subcommand_metavar="VERB ...",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`orchestra VERB --help` tells more of each.",
)
@click.version_option(package_name="orchestra-players", message="%(version)s")
def _orchestra() -> None:
    """Run, supervise and gracefully stop everything long-running in one program."""


def orchestra(args: list[str] | None = None) -> int:
    """Run the command line with these arguments, and return the exit code."""
    try:
        result: Any = _orchestra.main(args, prog_name="orchestra", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        print("aborted", file=sys.stderr)
        return 130
    return result if isinstance(result, int) else 0
