"""Error codes of the exchange that a decision turns on; what each proves of an order is in `outcome`."""

from __future__ import annotations

from typing import Final

WOULD_TRIGGER: Final = -2021
"""A conditional order would fire at once: the price is past it (binance-usdm.md §4.6)."""
NOTHING_TO_REDUCE: Final = -2022
"""A reduce-only order finds no position (§12.3)."""
TOO_LARGE: Final = -4005
"""Above the largest quantity of one order."""
ID_IN_USE: Final = -4116
"""An open order has this client id: an earlier request of it arrived (§5.4)."""
OTHERS_STOP: Final = -4130
"""A closePosition order of this kind rests in this direction already, whose ever it is (§4.6)."""
NO_POSITION: Final = -4509
"""A closePosition order finds no position; transient right after a fill (§4.6)."""

ALREADY_THERE: Final = frozenset({ID_IN_USE, OTHERS_STOP})
WANTS_POSITION: Final = frozenset({NOTHING_TO_REDUCE, -4118, NO_POSITION})
"""Refusals which say that a reduce-only order needs a position (§4.6, §12.3). By all that is known a conditional one is
accepted without one, but no document promises it."""
