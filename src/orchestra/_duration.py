"""Seconds, as people say them."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Seconds as people say them: `"0.25 s"`, `"8 s"`, `"2 h 14 m"`.

    >>> duration(8040)
    '2 h 14 m'
    """
    if seconds < 10:
        return f"{seconds:.2g} s" if seconds >= 0.01 else "0 s"
    whole = round(seconds)
    units = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    parts: list[str] = []
    for unit, size in units:
        amount, whole = divmod(whole, size)
        if amount or (parts and unit != "s"):
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2])
