"""`orchestra demo` and `orchestra completion`."""

from __future__ import annotations

import click

from .failures import Misused


@click.command()
def demo() -> int:
    """Play the demo: a small service with everything in it, until Ctrl-C.

    STUCK=1 in the environment adds a player that does not stop; DEMO_SECONDS=5 makes it end by itself.
    """
    try:
        from ..demo.program import main
    except ModuleNotFoundError as error:
        raise Misused(
            f"the demo needs {error.name}: pip install 'orchestra-players[demo]'"
        ) from None
    return main()


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that teaches a shell to complete verbs, options, and the paths of players.

    \b
    bash:  eval "$(orchestra completion bash)"        in ~/.bashrc
    zsh:   eval "$(orchestra completion zsh)"         in ~/.zshrc
    fish:  orchestra completion fish | source         in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    root = ctx.find_root().command
    click.echo(found(root, {}, "orchestra", "_ORCHESTRA_COMPLETE").source())
