"""What a player is, and what is made into one."""

import asyncio
import contextlib
import copy
import functools
import inspect
import itertools
import operator
import pickle
import time
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from orchestra import (
    Conductor,
    Context,
    ExponentialBackoff,
    Player,
    PlayerFunc,
    PlayerWithBackoff,
    ThreadPlayer,
    as_player,
    restarting,
)
from orchestra.player import is_same, kind_of, name_of, terms_of

Heard = list[Any]
heard: Heard = []


@pytest.fixture(autouse=True)
def nothing_heard() -> None:
    heard.clear()


async def played(given: Any) -> Any:
    """Play it once, asked to stop after a second; what its function was called with."""
    ctx = Context()
    asyncio.get_running_loop().call_later(1, ctx.cancel)
    await as_player(given).play(ctx)
    (args,) = heard
    return "ctx" if args == (ctx,) else args


# Functions of many kinds. Each says what it was called with.


async def async_with_ctx(ctx: Context) -> None:
    heard.append((ctx,))
    await ctx.wait()


async def async_alone() -> None:
    heard.append(())
    await asyncio.sleep(3600)


def plain_with_ctx(ctx: Context) -> None:
    heard.append((ctx,))
    ctx.wait_sync()


def plain_alone() -> None:
    heard.append(())


async def any_name(stop: Context) -> None:
    heard.append((stop,))


async def with_more(ctx: Context, queue: str) -> None:
    heard.append((ctx, queue))


async def after_more(queue: str, ctx: Context) -> None:
    heard.append((queue, ctx))


async def with_keyword(ctx: Context, *, queue: str) -> None:
    heard.append((ctx, queue))


async def with_default(ctx: Context, queue: str = "default") -> None:
    heard.append((ctx,))


async def with_optional_ctx(ctx: Context | None = None) -> None:
    heard.append((ctx,))


async def with_optional_context(context: Any = None, other: int = 0) -> None:
    heard.append((context,))


async def positional_only(ctx: Context, /) -> None:
    heard.append((ctx,))


async def with_args(*args: Any) -> None:
    heard.append(args)


async def with_args_and_keywords(*args: Any, **kwargs: Any) -> None:
    heard.append((*args, *kwargs))


async def with_ctx_and_args(ctx: Context, *args: Any) -> None:
    heard.append((ctx, *args))


async def with_keywords_only(**kwargs: Any) -> None:
    heard.append(tuple(kwargs))


async def with_optional_keyword(*, queue: str = "default") -> None:
    heard.append(())


def plain_with_args(*args: Any) -> None:
    heard.append(args)


def captured(i: int) -> Callable[[], Awaitable[None]]:
    async def f(i: int = i) -> None:
        heard.append((i,))

    return f


def captured_plain(i: int) -> Callable[[], None]:
    def f(i: int = i, *args: Any) -> None:
        heard.append((i, *args))

    return f


def traced(function: Any) -> Any:
    """A decorator like many: it takes anything, and gives it on."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def retried(function: Any) -> Any:
    """The same, as an `async def`."""

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    return wrapper


def misread(function: Any) -> Any:
    """Make of it a function whose signature can't be read."""
    function.__signature__ = 5
    return function


def with_queue(function: Any) -> Any:
    """A decorator that brings an argument of its own."""

    @functools.wraps(function)
    async def wrapper(ctx: Context) -> Any:
        return await function(ctx, "queue")

    return wrapper


class Service:
    """An object with methods for players."""

    async def work(self, ctx: Context) -> None:
        heard.append((ctx,))

    async def alone(self) -> None:
        heard.append(())

    def plain(self, ctx: Context) -> None:
        heard.append((ctx,))

    def with_args(self, *args: Any) -> None:
        heard.append(args)

    @traced
    async def decorated(self, ctx: Context) -> None:
        heard.append((ctx,))

    @traced
    async def decorated_alone(self) -> None:
        heard.append(())

    @retried
    def repeated(self, ctx: Context) -> None:
        heard.append((ctx,))

    @traced
    def decorated_plain(self, ctx: Context) -> None:
        heard.append((ctx,))

    @classmethod
    async def of_class(cls, ctx: Context) -> None:
        heard.append((ctx,))

    @staticmethod
    async def static(ctx: Context) -> None:
        heard.append((ctx,))


class AsyncCall:
    async def __call__(self, ctx: Context) -> None:
        heard.append((ctx,))


class AsyncCallAlone:
    async def __call__(self) -> None:
        heard.append(())


class PlainCall:
    def __call__(self, ctx: Context) -> None:
        heard.append((ctx,))


class TracedCall:
    @traced
    async def __call__(self) -> None:
        heard.append(())


ASYNC: list[tuple[Any, Any]] = [
    (async_with_ctx, "ctx"),
    (async_alone, ()),
    (any_name, "ctx"),
    (with_default, "ctx"),
    (with_optional_ctx, "ctx"),
    (with_optional_context, "ctx"),
    (positional_only, "ctx"),
    (with_args, "ctx"),
    (with_args_and_keywords, "ctx"),
    (with_ctx_and_args, "ctx"),
    (with_keywords_only, ()),
    (with_optional_keyword, ()),
    (captured(7), (7,)),
    # partials
    (functools.partial(async_with_ctx), "ctx"),
    (functools.partial(async_alone), ()),
    (functools.partial(with_keyword, queue="q"), None),
    (functools.partial(with_more, queue="q"), None),
    (functools.partial(after_more, "q"), None),
    (functools.partial(functools.partial(after_more), "q"), None),
    (functools.partial(with_args), "ctx"),
    (functools.partial(with_args, "q"), None),
    (functools.partial(captured(7), 8), (8,)),
    # methods
    (Service().work, "ctx"),
    (Service().alone, ()),
    (Service.of_class, "ctx"),
    (Service().static, "ctx"),
    (functools.partial(Service.work, Service()), "ctx"),
    # objects that are called
    (AsyncCall(), "ctx"),
    (AsyncCallAlone(), ()),
    (functools.partial(AsyncCall()), "ctx"),
    (functools.partial(AsyncCallAlone()), ()),
    # decorated
    (traced(async_with_ctx), "ctx"),
    (traced(async_alone), ()),
    (traced(traced(async_alone)), ()),
    (traced(with_args), "ctx"),
    (traced(captured(7)), (7,)),
    (traced(AsyncCallAlone()), ()),
    (with_queue(with_more), None),
    (traced(with_queue(with_more)), None),
    (retried(async_with_ctx), "ctx"),
    (retried(async_alone), ()),
    (retried(plain_alone), ()),
    (Service().decorated, "ctx"),
    (Service().decorated_alone, ()),
    (Service().repeated, "ctx"),
    (functools.partial(Service().decorated), "ctx"),
    (functools.partial(traced(with_more), queue="q"), None),
    (functools.partial(traced(after_more), "q"), None),
    (functools.partial(traced(async_alone)), ()),
    (functools.partial(functools.partial(traced(after_more)), "q"), None),
    (TracedCall(), ()),
    (functools.partial(TracedCall()), ()),
    (misread(traced(async_alone)), ()),
]

PLAIN: list[tuple[Any, Any]] = [
    (plain_with_ctx, "ctx"),
    (plain_alone, ()),
    (lambda ctx: plain_with_ctx(ctx), "ctx"),
    (lambda: plain_alone(), ()),
    (plain_with_args, "ctx"),
    (captured_plain(7), (7,)),
    (functools.partial(plain_with_ctx), "ctx"),
    (functools.partial(plain_alone), ()),
    (Service().plain, "ctx"),
    (Service().with_args, "ctx"),
    (Service().decorated_plain, "ctx"),
    (PlainCall(), "ctx"),
    (traced(plain_with_ctx), "ctx"),
    (traced(plain_alone), ()),
    (functools.partial(traced(plain_alone)), ()),
    (functools.cache(plain_with_ctx), "ctx"),
]


@pytest.mark.virtual_time
@pytest.mark.parametrize(("function", "called_with"), ASYNC)
async def test_an_async_function_is_a_player(function: Any, called_with: Any) -> None:
    """Of any kind: it is called with the context, or with nothing, as its signature says."""
    for player in (as_player(function), PlayerFunc(function)):
        heard.clear()
        assert type(player) is PlayerFunc
        got = await played(player)
        if called_with is None:  # with the context and what was bound
            assert {type(one) for one in got} == {Context, str}
        else:
            assert got == called_with


@pytest.mark.virtual_time
@pytest.mark.parametrize(("function", "called_with"), PLAIN)
async def test_a_plain_function_is_a_player_in_a_thread(function: Any, called_with: Any) -> None:
    """Of any kind: it is called with the context, or with nothing, as its signature says."""
    for player in (as_player(function), ThreadPlayer(function)):
        heard.clear()
        assert type(player) is ThreadPlayer
        assert await played(function) == called_with


@pytest.mark.virtual_time
async def test_a_function_without_a_context_is_cancelled_cleanly() -> None:
    """An `async def f()` is cancelled when its context is done, and that is its clean stop."""
    begin = asyncio.get_running_loop().time()
    assert await played(async_alone) == ()
    assert asyncio.get_running_loop().time() == begin + 1


@pytest.mark.virtual_time
async def test_a_function_with_a_context_is_not_cancelled() -> None:
    """An `async def f(ctx)` takes the time that it needs to stop."""

    async def slow(ctx: Context) -> None:
        await ctx.wait()
        await asyncio.sleep(5)
        heard.append((ctx,))

    assert await played(slow) == "ctx"
    assert asyncio.get_running_loop().time() == 6


@pytest.mark.virtual_time
async def test_what_a_function_raises_comes_out() -> None:
    """Playing by hand is one run, with its own exception."""

    async def fails() -> None:
        raise LookupError

    for function in (fails, traced(fails)):
        with pytest.raises(LookupError):
            await as_player(function).play(Context())


@pytest.mark.virtual_time
async def test_functions_made_in_a_loop_keep_their_own_values() -> None:
    """`async def f(i=i)` is called with nothing, so that each keeps what it has captured."""
    for number in range(3):
        await as_player(captured(number)).play(Context())
        await as_player(captured_plain(number)).play(Context())
    assert heard == [(0,), (0,), (1,), (1,), (2,), (2,)]


# What is no player


class Stepwise:
    """Has methods that yield."""

    async def events(self, ctx: Context) -> AsyncIterator[int]:
        yield 1

    def steps(self, ctx: Context) -> Iterator[int]:
        yield 1


async def events() -> AsyncIterator[int]:
    yield 1


def steps(ctx: Context) -> Iterator[int]:
    yield 1


class PlaysNothing:
    play = 5


class Plays:
    async def play(self, ctx: Context) -> None:
        await ctx.wait()


ACCEPTED = "a player is an object with `async def play"
BIND = "takes more than the context. Bind the rest first"
YIELDS = "is no player: it yields"
SIGNATURE = "its signature can't be read; wrap it in a `def`"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (None, f"None of type NoneType is no player: {ACCEPTED}"),
        (5, f"5 of type int is no player: {ACCEPTED}"),
        ("worker", f"'worker' of type str is no player: {ACCEPTED}"),
        ({"a": async_alone}, ACCEPTED),
        ([], ACCEPTED),
        (PlaysNothing(), "whose `play` is no method, is no player"),
        (SimpleNamespace(play=None), "whose `play` is no method, is no player"),
        (Plays, "the class Plays is no player: give an instance"),
        (Conductor, "the class Conductor is no player: give an instance"),
        (int, "the class int is no player: it has no `play` method"),
        (AsyncCall, "the class AsyncCall is no player: it has no `play` method"),
        (with_more, BIND),
        (with_keyword, BIND),
        (lambda ctx, queue: None, BIND),
        (functools.partial(with_keyword), BIND),
        (traced(with_more), BIND),
        (Service.work, BIND),
        (operator.add, BIND),
        (events, YIELDS),
        (steps, YIELDS),
        (Stepwise().events, YIELDS),
        (Stepwise().steps, YIELDS),
        (functools.partial(events), YIELDS),
        (traced(events), YIELDS),
        (contextlib.asynccontextmanager(events), YIELDS),
        (max, SIGNATURE),
        (functools.partial(max), SIGNATURE),
        (functools.partial(misread(captured(7))), SIGNATURE),
        (steps(Context()), ACCEPTED),
    ],
)
def test_anything_else_is_refused(wrong: Any, reason: str) -> None:
    """A `TypeError` says what was given, what is accepted, and how to mend it."""
    for take in (as_player, lambda one: Conductor({"a": one}), lambda one: restarting(one, [1])):
        with pytest.raises(TypeError) as raised:
            take(wrong)
        assert reason in str(raised.value)


class YieldsEvents:
    async def play(self, ctx: Context) -> AsyncIterator[int]:
        yield 1


class YieldsSteps:
    def play(self, ctx: Context) -> Iterator[int]:
        yield 1


class TakesNothing:
    async def play(self) -> None: ...


class TakesMore:
    async def play(self, ctx: Context, queue: Any) -> None: ...


class TakesKeyword:
    async def play(self, ctx: Context, *, queue: Any) -> None: ...


class ForgotAsync:
    def play(self, ctx: Context) -> None:
        if ctx.done():
            return
        with contextlib.suppress(OSError):
            time.sleep(0)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (YieldsEvents(), "its `play` yields"),
        (YieldsSteps(), "its `play` yields"),
        (
            TakesNothing(),
            "its `play` does not take the context: make it `async def play(self, ctx)",
        ),
        (SimpleNamespace(play=async_alone), "its `play` does not take the context"),
        (TakesMore(), "its `play` takes more than the context"),
        (TakesKeyword(), "its `play` takes more than the context"),
        (ForgotAsync(), "returns nothing to await: make it `async def play(self, ctx)`"),
        (SimpleNamespace(play=lambda ctx: None), "returns nothing to await"),
    ],
)
def test_a_play_that_can_not_be_played_is_refused(wrong: Any, reason: str) -> None:
    """What is seen to fail at its start is told when the player is given, and how to write it."""
    for take in (as_player, lambda one: Conductor({"a": one}), lambda one: restarting(one, [1])):
        with pytest.raises(TypeError) as raised:
            take(wrong)
        assert reason in str(raised.value)
        assert repr(wrong) in str(raised.value)


@types.coroutine
def by_hand(ctx: Context) -> Iterator[None]:
    yield


class PassesOn:
    def play(self, ctx: Context) -> Awaitable[None]:
        return Plays().play(ctx)


class HasDefaults:
    async def play(self, ctx: Context, more: int = 0, *args: int, queue: Any = None) -> None: ...


class OfItsClass:
    @classmethod
    async def play(cls, ctx: Context) -> None: ...


class OfNoInstance:
    @staticmethod
    async def play(ctx: Context) -> None: ...


class Fails:
    def play(self, ctx: Context) -> Awaitable[None]:
        raise OSError


@pytest.mark.parametrize(
    "player",
    [
        PassesOn(),
        HasDefaults(),
        OfItsClass(),
        OfNoInstance(),
        Fails(),
        SimpleNamespace(play=by_hand),
        SimpleNamespace(play=lambda *args: async_alone()),
        SimpleNamespace(play=functools.partial(async_with_ctx)),
        mock.Mock(),
    ],
)
def test_a_play_may_be_made_in_many_ways(player: Any) -> None:
    """Whatever gives something to await for a context will do, and what can't be seen is believed."""
    assert as_player(player) is player


@pytest.mark.parametrize("make", [PlayerFunc, ThreadPlayer])
@pytest.mark.parametrize("wrong", [None, 5, Plays, int, Plays()])
def test_what_is_no_function_is_refused(make: Any, wrong: Any) -> None:
    """The explicit forms take functions only."""
    with pytest.raises(TypeError, match="is no function: a player is an object"):
        make(wrong)


@pytest.mark.parametrize("function", [one for one, _ in PLAIN])
def test_a_player_of_an_async_function_takes_no_plain_one(function: Any) -> None:
    """`PlayerFunc` is the explicit form of the async cases."""
    with pytest.raises(TypeError, match="PlayerFunc takes an async function"):
        PlayerFunc(function)


@pytest.mark.parametrize("function", [one for one, _ in ASYNC])
def test_a_player_in_a_thread_takes_no_async_function(function: Any) -> None:
    """An `async def` would not run in a thread."""
    with pytest.raises(TypeError, match="ThreadPlayer takes a plain function"):
        ThreadPlayer(function)


def test_a_call_that_was_made_already_is_refused() -> None:
    """A coroutine object plays once at the most, and the error names the function."""
    coroutine = async_alone()
    with pytest.raises(
        TypeError, match=r"the coroutine async_alone\(\.\.\.\), a call that has been"
    ):
        as_player(coroutine)
    coroutine.close()


@pytest.mark.virtual_time
async def test_tasks_and_generators_are_refused() -> None:
    """What goes on already can't be played."""
    task = asyncio.create_task(asyncio.sleep(0))
    generator = events()
    for wrong in (task, asyncio.get_running_loop().create_future(), generator):
        with pytest.raises(TypeError, match="is no player"):
            as_player(wrong)
    await task
    await generator.aclose()


@pytest.mark.virtual_time
async def test_a_lambda_that_returns_a_coroutine_fails_with_advice() -> None:
    """What can't be seen before it is called is told when it is."""
    with pytest.raises(TypeError, match="plain function that returned a coroutine: make it `async"):
        await as_player(lambda ctx: async_with_ctx(ctx)).play(Context())
    assert not heard


@pytest.mark.virtual_time
async def test_a_generator_behind_a_decorator_is_the_decorators_matter() -> None:
    """A plain function that only is made of a generator is a function."""

    def consumed(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(ctx: Context) -> None:
            heard.append(tuple(function(ctx)))

        return wrapper

    def collected(function: Any) -> Any:
        @functools.wraps(function)
        async def wrapper() -> None:
            heard.append(tuple([one async for one in function()]))

        return wrapper

    assert await played(consumed(steps)) == (1,)
    heard.clear()
    assert await played(collected(events)) == (1,)


def test_an_endless_chain_of_wrappers_has_an_end() -> None:
    """An object that has something behind everything is judged all the same."""

    class Endless:
        @property
        def __wrapped__(self) -> "Endless":
            return Endless()

        __call__ = staticmethod(plain_with_ctx)

    assert type(as_player(Endless())) is ThreadPlayer


# What is one


@pytest.mark.parametrize(
    "player", [Plays(), PlayerFunc(async_alone), ThreadPlayer(plain_alone), Conductor()]
)
def test_a_player_is_returned_as_it_is(player: Any) -> None:
    """Whatever has a `play` is a player, also if it could be called as well."""
    assert as_player(player) is player
    assert isinstance(player, Player)


def test_an_object_that_plays_and_can_be_called_is_a_player() -> None:
    """`play` comes first."""
    both = mock.AsyncMock()
    assert as_player(both) is both


def test_a_player_with_a_backoff_is_told_apart() -> None:
    """`PlayerWithBackoff` is what has a `backoff` beside its `play`."""
    assert isinstance(restarting(async_alone, [1]), PlayerWithBackoff)
    assert isinstance(Conductor(), PlayerWithBackoff)
    assert not isinstance(Plays(), PlayerWithBackoff)


def test_a_function_is_judged_once() -> None:
    """Thousands of players of one function cost one look at it."""
    with mock.patch("inspect.signature", side_effect=AssertionError):
        players = [as_player(function) for function in (async_with_ctx, async_alone) * 1000]
    assert len(players) == 2000


# A backoff for any player


class Declares:
    """A player with much to declare."""

    kind = "declared"
    signals_ready = True
    start_timeout = 5
    watchdog = 7
    port = 80

    def __init__(self) -> None:
        self.runs = 0

    async def play(self, ctx: Context) -> None:
        self.runs += 1

    def backoff(self) -> list[float]:
        return [1, 2]

    def hello(self) -> str:
        return "hello"


@pytest.mark.virtual_time
async def test_restarting_gives_a_player_a_backoff_and_passes_on_all_else() -> None:
    """What the player declares and has is still there, but for its own backoff."""
    inner = Declares()
    player: Any = restarting(inner, [3])
    assert list(player.backoff()) == [3]
    assert (player.port, player.hello(), player.kind) == (80, "hello", "declared")
    terms = terms_of(player)
    assert (terms.signals_ready, terms.start_timeout, terms.watchdog) == (True, 5, 7)
    assert terms.backoff is not None
    assert not terms.always
    assert terms_of(restarting(inner, [3], on="always")).always
    with pytest.raises(AttributeError):
        player.nothing  # noqa: B018
    await player.play(Context())
    assert inner.runs == 1


@pytest.mark.virtual_time
async def test_playing_by_hand_restarts_nothing() -> None:
    """Only a supervisor restarts: calling `play` is one run."""
    runs = []

    async def fails(ctx: Context) -> None:
        runs.append(1)
        raise LookupError

    with pytest.raises(LookupError):
        await restarting(fails, itertools.repeat(0)).play(Context())
    assert len(runs) == 1


def test_the_outer_backoff_counts() -> None:
    """Given two backoffs, a player has the one that was given last."""
    player: Any = restarting(restarting(Declares(), [3], on="always"), [4])
    assert list(player.backoff()) == [4]
    assert not terms_of(player).always
    assert player.port == 80


@pytest.mark.parametrize("wrong", [None, 5, "135", object()])
def test_restarting_refuses_what_is_no_backoff(wrong: Any) -> None:
    """The error comes where the mistake is."""
    with pytest.raises(TypeError, match="a backoff is an iterable"):
        restarting(async_alone, wrong)
    with pytest.raises(ValueError, match="delays of at least 0"):
        restarting(async_alone, [-1])


def test_restarting_refuses_an_unknown_condition() -> None:
    """`on` is one of two words, and the error has the nearest."""
    wrong: Any = "faliure"
    with pytest.raises(ValueError, match=r"on='faliure' is unknown. Did you mean 'failure'\?"):
        restarting(async_alone, [1], on=wrong)


# Names, kinds, terms


@pytest.mark.parametrize(
    ("player", "name", "kind", "shown"),
    [
        (as_player(async_alone), "async_alone", "coroutine", "PlayerFunc(async_alone)"),
        (as_player(plain_alone), "plain_alone", "thread", "ThreadPlayer(plain_alone)"),
        (
            as_player(functools.partial(functools.partial(async_alone))),
            "async_alone",
            "coroutine",
            "PlayerFunc(async_alone)",
        ),
        (as_player(Service().work), "work", "coroutine", "PlayerFunc(work)"),
        (as_player(AsyncCall()), "AsyncCall", "coroutine", "PlayerFunc(AsyncCall)"),
        (as_player(lambda: None), "<lambda>", "thread", "ThreadPlayer(<lambda>)"),
        (Plays(), "Plays", "Plays", None),
        (Declares(), "Declares", "declared", None),
        (
            restarting(async_alone, [1]),
            "async_alone",
            "coroutine",
            "restarting(PlayerFunc(async_alone), [1])",
        ),
        (restarting(restarting(Plays(), [1]), [2]), "Plays", "Plays", None),
        (Conductor(), "Conductor", "group", None),
    ],
)
def test_a_player_has_a_name_and_a_kind(player: Any, name: str, kind: str, shown: Any) -> None:
    """Those of its function or class, whatever stands around it."""
    assert (name_of(player), kind_of(player)) == (name, kind)
    assert shown is None or repr(player) == shown


def test_a_kind_is_a_word() -> None:
    """A `kind` that means something else is not taken for one."""
    assert kind_of(SimpleNamespace(kind=5)) == "SimpleNamespace"


def test_players_of_one_function_are_the_same() -> None:
    """Two players are one where they are the same object, or made of the same function."""
    one = Plays()
    assert is_same(one, one)
    assert not is_same(one, Plays())
    assert is_same(as_player(async_alone), as_player(async_alone))
    assert not is_same(as_player(async_alone), as_player(async_with_ctx))


def test_a_player_that_declares_nothing_has_no_terms() -> None:
    """By default a player is ready once started, has no time limits and no backoff."""
    for player in (Plays(), as_player(async_alone), as_player(plain_alone)):
        terms = terms_of(player)
        assert not terms.signals_ready
        assert (terms.start_timeout, terms.watchdog, terms.backoff) == (None, None, None)


def test_a_kind_of_player_function_may_declare_as_well() -> None:
    """A subclass has the terms that it declares."""

    class Watched(PlayerFunc):
        watchdog = 5
        signals_ready = True

    terms = terms_of(Watched(async_with_ctx))
    assert (terms.watchdog, terms.signals_ready) == (5, True)


@pytest.mark.parametrize("name", ["start_timeout", "watchdog"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "5", True])
def test_a_time_that_makes_no_sense_is_refused(name: str, value: Any) -> None:
    """A declaration is checked when the player is taken in, and the error names it."""

    class Wrong(Plays): ...

    setattr(Wrong, name, value)
    with pytest.raises(ValueError, match=rf"Wrong\.{name} must be a number of seconds"):
        Conductor({"a": Wrong()})


@pytest.mark.parametrize("value", [[1, 5], ExponentialBackoff(), 5])
def test_a_backoff_that_is_no_method_is_refused(value: Any) -> None:
    """`backoff` is asked anew for each series, so it has to be a method."""

    class Wrong(Plays):
        backoff = value

    with pytest.raises(TypeError, match=r"Wrong\.backoff must be a method"):
        Conductor({"a": Wrong()})


# Copies


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
)
@pytest.mark.parametrize(
    ("player", "called_with"),
    [
        (PlayerFunc(async_with_ctx), "ctx"),
        (PlayerFunc(async_alone), ()),
        (ThreadPlayer(plain_with_ctx), "ctx"),
        (restarting(async_alone, ExponentialBackoff()), ()),
        (restarting(restarting(plain_alone, [1]), [2]), ()),
    ],
)
async def test_a_player_may_be_copied_and_sent(player: Any, called_with: Any, copied: Any) -> None:
    """A copy, also from another process, plays as the player does."""
    again = copied(player)
    assert type(again) is type(player)
    assert repr(again) == repr(player)
    assert await played(again) == called_with


def test_a_copy_of_a_restarting_player_still_restarts() -> None:
    """How the player inside is copied does not matter."""

    class OwnCopy(Plays):
        def __deepcopy__(self, memo: Any) -> "OwnCopy":
            return OwnCopy()

    again: Any = copy.deepcopy(restarting(OwnCopy(), [3]))
    assert again.backoff() == [3]


def test_a_function_that_sleeps_is_readable_where_it_says_how_it_is_called() -> None:
    """Builtins are taken if they say what they take."""
    try:
        inspect.signature(time.sleep)
    except ValueError:
        with pytest.raises(TypeError, match="signature can't be read"):
            as_player(time.sleep)
    else:
        assert type(as_player(time.sleep)) is ThreadPlayer
