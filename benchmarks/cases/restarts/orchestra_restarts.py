"""orchestra, a player with itertools.repeat(0)."""

import itertools

from harness.restarts import Flaky, main
from orchestra import Conductor, Context, restarting


async def job(flaky: Flaky) -> None:
    """Play a conductor of the one player until that player ends well."""
    player = restarting(flaky.fail, itertools.repeat(0))
    await Conductor({"flaky": player}).play(Context())


main(job)
