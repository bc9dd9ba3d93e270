"""Do two stated numbers say the same amount, and which of two questions' numbers are left over?"""

from __future__ import annotations

from lc_costkit.cache.quantities import PART, Quantity
from lc_costkit.cache.units import UNITS


def unmatched_quantities(
    left: tuple[Quantity, ...], right: tuple[Quantity, ...]
) -> tuple[list[Quantity], list[Quantity]]:
    """Pair equal quantities off and return what is left on either side.

    A number without a unit equals the same number with one: "500" may be "$500", but no share: "5" is not "5%".
    A dotted number without a unit may be a version and is only one with what is written alike: 2.1 is not 2.10,
    while 1.50 USD is 1.5 USD. A unit of time by itself ("per minute") counts where both sides have one.
    What is stated twice
    on one side may be stated once on the other: "the one-day (24h) ticket".
    """
    rest = list(right)
    alone = []
    for quantity in left:
        twin = next((other for other in rest if _equal(quantity, other)), None)
        if twin is None:
            alone.append(quantity)
        else:
            rest.remove(twin)
    units = [[each for each in side if not each.firm and each.dimension in _OF_TIME] for side in (alone, rest)]
    if all(units):
        return units[0], units[1]  # "per minute" and "per hour", "for a week" and "for a day"
    alone, rest = [each for each in alone if each.firm], [each for each in rest if each.firm]
    if alone and rest:
        return alone, rest
    return (
        [each for each in alone if not any(_equal(each, other) for other in right)],
        [each for each in rest if not any(_equal(each, other) for other in left)],
    )


_OF_TIME = frozenset({"time", "months", "nights"})
_MEASURES = frozenset({"length", "mass", "volume", "speed", "area"})
_MILLI = frozenset({"milli", "length", "volume", "mass", None})
_ABOUT = 0.01
"""Rounding between systems of measure: "5 km" and "3.1 miles"; share."""
_ABOUT_DEGREES = 0.6
"""Rounding between Fahrenheit and Celsius; degrees Celsius."""
_WARMTH = frozenset({"temperature", "fahrenheit", "degrees"})


def is_unit(word: str) -> bool:
    """Say whether a lower-case word is a unit, compared as part of its number."""
    return word in UNITS


def _equal(one: Quantity, other: Quantity) -> bool:
    if one.decimals is not None and other.decimals is not None and one.decimals != other.decimals:
        return False
    if one.dimension == other.dimension:
        if _close(one.value, other.value):
            return True
        if one.dimension not in _MEASURES or not one.raw or not other.raw:
            return False
        ratio = (one.value / one.raw) / (other.value / other.raw)
        same_system = any(_close(ratio, 10.0**power) for power in range(-6, 7))
        return not same_system and abs(one.value - other.value) <= _ABOUT * abs(one.value)
    if one.dimension in _WARMTH and other.dimension in _WARMTH:
        if "degrees" in (one.dimension, other.dimension):
            return _close(one.raw, other.raw)
        celsius, fahrenheit = (one, other) if one.dimension == "temperature" else (other, one)
        return abs(celsius.value - (fahrenheit.value - 32) * 5 / 9) <= _ABOUT_DEGREES
    if "milli" in (one.dimension, other.dimension):
        return {one.dimension, other.dimension} <= _MILLI and _close(one.value, other.value)
    if {one.dimension, other.dimension} == {"mass", "gbp"}:
        mass = one if one.dimension == "mass" else other
        return _close(one.raw, other.raw) and _close(mass.value, mass.raw * UNITS["lb"][1])
    if {one.dimension, other.dimension} == {"clock", "clock of half a day"}:
        return _close(one.value % 720, other.value % 720)
    dimensions = {one.dimension, other.dimension}
    if PART in dimensions:
        return _close(one.raw, other.raw)
    if dimensions == {"nights", "time"}:
        nights, time = (one, other) if one.dimension == "nights" else (other, one)
        return _close(time.value, time.raw * UNITS["week"][1]) and _close(nights.raw * UNITS["day"][1], time.value)
    if None not in dimensions or "month of the year" in dimensions or not (one.firm and other.firm):
        return False
    if "share" in dimensions:
        share, plain = (one, other) if one.dimension == "share" else (other, one)
        return 0 < plain.raw < 1 and _close(share.value, 100 * plain.raw)  # "5 %" and "0.05"
    return _close(one.raw, other.raw)


def _close(one: float, other: float) -> bool:
    # For the rounding of units only: digits that are compared as a number are at most eleven.
    return abs(one - other) <= 1e-13 * max(abs(one), abs(other))
