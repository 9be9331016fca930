"""The service: its players, and who stops before whom."""

from __future__ import annotations

import sys
from functools import partial
from typing import Final

from orchestra import (
    CommandPlayer,
    Conductor,
    ExponentialBackoff,
    ProcessPlayer,
    ServerPlayer,
    StatusPlayer,
    restarting,
)

from .api import Api
from .desk import Desk
from .primes import count_primes
from .rows import Rows
from .settings import Settings
from .store import Store
from .troubled import flaky, stuck
from .visitors import Visitors
from .worker import Worker

TICKING: Final = "import time\nwhile True: print(time.ctime(), flush=True); time.sleep(10)"
"""A program of another kind, that prints the time."""


def conductor_of(
    settings: Settings,
    desk: Desk,
    rows: Rows,
    status: StatusPlayer,
    visitors: Visitors | None = None,
) -> Conductor:
    """All players of the service, put together.

    `after` makes `store` start first and stop last. So nothing that was accepted is lost: first the
    API closes, then the worker does what waits, then the store writes the last rows.
    """
    jobs = Conductor(
        {
            "store": Store(desk, rows),
            "worker": Worker(desk),
            "flaky": restarting(
                partial(flaky, lasts=8 if visitors is None else 0.4),
                ExponentialBackoff(initial=0.2, max_delay=5),
            ),
        },
        after={"worker": ["store"]},
    )
    api = Api(desk, rows, describe=lambda: service.status())
    service = Conductor(
        {
            "jobs": jobs,
            "web": ServerPlayer(api.app(), port=settings.port),
            "primes": ProcessPlayer(count_primes),
            "clock": CommandPlayer([sys.executable, "-c", TICKING]),
            "status": status,
        },
        after={"web": ["jobs"]},
        timeout=5,
    )
    if visitors is not None:
        service.add("visitors", visitors)
    if settings.stuck:
        service.add("stuck", stuck)
    return service
