"""How much is served at a time, and how long it may take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How many `connections` there may be at a door, Unix or TCP, and how long they may be idle.

    - `request`: seconds that a client may take to send the whole of a request.
    - `answer`: seconds that it may leave an answer that waits for it untouched.
    """

    connections: int = 200
    request: float = 10.0
    answer: float = 30.0
