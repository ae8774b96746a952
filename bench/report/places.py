# SPDX-License-Identifier: MIT
"""Where labels go that would be on top of each other."""


def apart(places: list[float], step: float, bottom: float, top: float) -> list[float]:
    """The sorted places, moved as little as it takes to be a step from each other, between the two ends."""
    moved = list(places)
    for _ in range(200):
        for at in range(len(moved) - 1):
            lack = step - (moved[at + 1] - moved[at])
            if lack > 0:
                moved[at] -= lack / 2
                moved[at + 1] += lack / 2
        moved = [min(max(place, bottom), top) for place in moved]
    return moved
