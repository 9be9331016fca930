"""A file that is read again: what has changed in it is done, and nothing else is touched."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from orchestra import Performance, playing
from orchestra.loading.errors import LoadError
from orchestra.loading.program import Wish, find_program
from orchestra.loading.reload import Reload

SLEEP = "sleep 1000"

Body = Callable[[Any, Performance], Awaitable[None]]


def reloading(folder: Path, text: str, body: Body) -> None:
    """Play a file, and have it read again by the body."""
    file = folder / "orchestra.toml"
    file.write_text(text)
    program = find_program(Wish(str(file)))
    player = program.load()
    assert program.spec is not None

    async def main() -> None:
        async with playing(player) as performance:
            reload = Reload(program, player)

            async def again(text: str, dry_run: bool = False) -> dict[str, Any]:
                file.write_text(text)
                return await reload.apply(dry_run)

            await body(again, performance)

    asyncio.run(main())


def pids(performance: Performance) -> dict[str, object]:
    return {
        one.path: one.details.get("pid")
        for one in performance.status().walk()
        if one.kind == "command" and one.ready
    }


async def until(performance: Performance, path: str) -> None:
    """Until a player has got ready."""
    events = performance.events()
    if not performance.status().find(path).ready:
        async for event in events:
            if event.path == path and type(event).__name__ == "Ready":
                break


def toml(**commands: str) -> str:
    return "".join(f"[players.{name}]\ncommand = '{one}'\n" for name, one in commands.items())


def test_what_has_changed_is_done(tmp_path: Path) -> None:
    """Players are added, removed and replaced, and the others go on in the same process."""

    async def body(again: Any, performance: Performance) -> None:
        before = pids(performance)
        found = await again(toml(a=SLEEP, b="sleep 2000", d=SLEEP))
        assert found == {"changes": ["- c", "~ b (command)", "+ d"], "applied": True}
        await until(performance, "d")
        after = pids(performance)
        assert set(after) == {"a", "b", "d"}
        assert after["a"] == before["a"]
        assert after["b"] != before["b"]
        assert await again(toml(a=SLEEP, b="sleep 2000", d=SLEEP)) == {
            "changes": [],
            "applied": False,
        }

    reloading(tmp_path, toml(a=SLEEP, b=SLEEP, c=SLEEP), body)


def test_a_dry_run(tmp_path: Path) -> None:
    """A dry run tells what would be done, and does not do it."""

    async def body(again: Any, performance: Performance) -> None:
        found = await again(toml(b=SLEEP), dry_run=True)
        assert found == {"changes": ["- a", "+ b"], "applied": False}
        assert set(pids(performance)) == {"a"}

    reloading(tmp_path, toml(a=SLEEP), body)


def test_all_of_them_are_others(tmp_path: Path) -> None:
    """A program goes on if all of its players have been exchanged for others."""

    async def body(again: Any, performance: Performance) -> None:
        await again(toml(b=SLEEP))
        await until(performance, "b")
        assert set(pids(performance)) == {"b"}

    reloading(tmp_path, toml(a=SLEEP), body)


def test_copies_are_scaled(tmp_path: Path) -> None:
    """Another number of copies leaves those alone that stay; a first number makes a group of one player."""

    async def body(again: Any, performance: Performance) -> None:
        before = pids(performance)
        await again(toml(a=SLEEP) + "copies = 3")
        after = pids(performance)
        assert set(after) == {"a.0", "a.1", "a.2"}
        assert after["a.0"] == before["a.0"]
        await again(toml(a=SLEEP))
        assert set(pids(performance)) == {"a"}

    reloading(tmp_path, toml(a=SLEEP) + "copies = 1", body)


def test_groups(tmp_path: Path) -> None:
    """In a group its players are looked at one by one; other keys of its own replace it."""
    inner = "[players.g.players.{}]\ncommand = '{}'\n"

    async def body(again: Any, performance: Performance) -> None:
        before = pids(performance)
        found = await again(inner.format("a", SLEEP) + inner.format("c", SLEEP))
        assert found["changes"] == ["- g.b", "+ g.c"]
        await until(performance, "g.c")
        assert pids(performance)["g.a"] == before["g.a"]
        found = await again("[players.g]\ntimeout = 3\n" + inner.format("a", SLEEP))
        assert found["changes"] == ["~ g (timeout)"]
        assert set(pids(performance)) == {"g.a"}

    reloading(tmp_path, inner.format("a", SLEEP) + inner.format("b", SLEEP), body)


def test_the_order_of_what_is_new(tmp_path: Path) -> None:
    """A player that is added starts after those that it names, also where these are added with it."""

    async def body(again: Any, performance: Performance) -> None:
        events = performance.events()
        await again(
            toml(web=SLEEP)
            + "after = 'setup'\n"
            + toml(setup="true")
            + "once = true\n"
            + toml(a=SLEEP, spare=SLEEP)
            + "autostart = false"
        )
        seen: list[tuple[str, str]] = []
        async for event in events:
            seen.append((event.path, type(event).__name__))
            if seen[-1] == ("web", "Ready"):
                break
        assert seen.index(("setup", "Stopped")) < seen.index(("web", "Started"))
        assert performance.status().find("spare").state == "stopped"

    reloading(tmp_path, toml(a=SLEEP), body)


def test_those_behind_are_removed_first(tmp_path: Path) -> None:
    """Players that are removed stop in the order in which they stop with the program."""

    async def body(again: Any, performance: Performance) -> None:
        events = performance.events()
        await again(toml(a=SLEEP))
        stopped: list[str] = []
        async for event in events:
            if type(event).__name__ == "Stopped":
                stopped.append(event.path)
            if len(stopped) == 3:
                break
        assert stopped == ["web", "api", "db"]

    behind = toml(db=SLEEP, api=SLEEP) + "after = 'db'\n" + toml(web=SLEEP) + "after = 'api'\n"
    reloading(tmp_path, behind + toml(a=SLEEP), body)


def test_what_counts_later(tmp_path: Path) -> None:
    """What can't be changed while it plays is told of, and nothing is restarted for it."""

    async def body(again: Any, performance: Performance) -> None:
        before = pids(performance)
        found = await again(
            "[orchestra]\ntimeout = 5\n" + toml(b=SLEEP, a=SLEEP) + "after = 'b'\nautostart = false"
        )
        assert found["changes"] == [
            "! timeout counts from the next start on",
            "! a: after counts from the next start on",
            "! a: autostart counts from the next start on",
        ]
        assert pids(performance) == before

    reloading(tmp_path, toml(a=SLEEP, b=SLEEP), body)


def test_env_files(tmp_path: Path) -> None:
    """Other variables in an env file count for what starts from then on, and that is said."""
    (tmp_path / "vars").write_text("A=1")

    async def body(again: Any, performance: Performance) -> None:
        (tmp_path / "vars").write_text("A=2")
        found = await again("[orchestra]\nenv_file = 'vars'\n" + toml(a=SLEEP))
        assert found["changes"] == ["! variables of env files count for what starts from now on"]

    reloading(tmp_path, "[orchestra]\nenv_file = 'vars'\n" + toml(a=SLEEP), body)


@pytest.mark.parametrize("text", ["[players.a]\nnothing = 1", toml(a=SLEEP, b='x "'), ""])
def test_a_file_that_is_wrong(tmp_path: Path, text: str) -> None:
    """A file that can't be played changes nothing."""

    async def body(again: Any, performance: Performance) -> None:
        before = pids(performance)
        with pytest.raises(LoadError):
            await again(text)
        assert pids(performance) == before
        assert (await again(toml(a="sleep 2000")))["applied"]

    reloading(tmp_path, toml(a=SLEEP), body)


def test_the_choice_of_the_user_stays(tmp_path: Path) -> None:
    """Players that were left out at the start are left out of what is read again as well."""
    from orchestra.loading.choice import Choice

    file = tmp_path / "orchestra.toml"
    file.write_text(toml(a=SLEEP, b=SLEEP))
    program = find_program(Wish(str(file), choice=Choice(only=("a",))))
    player = program.load()

    async def main() -> None:
        async with playing(player):
            file.write_text(toml(a=SLEEP, c=SLEEP))
            assert not (await Reload(program, player).apply())["changes"]

    asyncio.run(main())
