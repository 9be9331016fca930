"""Work for a processor: in a process of its own, where it holds up nobody."""

from __future__ import annotations

import logging

from orchestra import Context

AT_A_TIME = 20_000
SECONDS_BETWEEN = 0.5
TOLD_EVERY = 200_000
"""Numbers from one log line to the next, so that they do not push all else off the screen."""

log = logging.getLogger("demo")


def count_primes(ctx: Context) -> None:
    """Count prime numbers, part by part, until `ctx` is done."""
    found, number = 0, 2
    while not ctx.wait_sync(SECONDS_BETWEEN):
        end = number + AT_A_TIME
        found += sum(is_prime(one) for one in range(number, end))
        number = end
        if number % TOLD_EVERY < AT_A_TIME:
            log.info("%d prime numbers below %d", found, number)


def is_prime(number: int) -> bool:
    """Whether no smaller number divides this one, but for 1."""
    return all(number % divisor for divisor in range(2, int(number**0.5) + 1))
