"""`make bench-sim`: the simulated exchange's speed, printed and judged.

Targets: 20,000 orders a second in process with 1,000 resting orders, cost growing no worse than the logarithm of the
resting orders, 2,000 order requests a second over loopback. Machines differ and are busy at times, so what fails the
run are ratios to a peer measured beside it; the plain figures are printed with them.
"""

from __future__ import annotations

import math
import sys

from .in_process import dictionary_work, exchange_with, market_order, microseconds, rest_request, resting_order
from .loopback import requests_per_second

COUNT = 4_000
SIZES = (10, 100, 1_000, 10_000)
# An order may cost so many times the dictionary work; 20,000 a second on the machine these were set on.
ORDER_TO_PEER_MAX = 12.0
GROWTH_MAX = math.log(SIZES[-1]) / math.log(SIZES[0])
# Of what a handler that does nothing reaches through the same sockets.
SERVED_SHARE_MIN = 0.15


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _verdict(*, is_good: bool) -> str:
    return "ok" if is_good else "TOO SLOW"


def main() -> int:
    """Measure, print, judge."""
    verdicts = []
    peer_us = microseconds(dictionary_work, COUNT)
    _say(f"peer: dictionary work {peer_us:.1f} µs")
    _say(f"{'resting':>8} {'market order':>22} {'limit + cancel':>22} {'signed REST order':>22}")
    costs: dict[int, tuple[float, float]] = {}
    for size in SIZES:
        exchange = exchange_with(size)
        market_us = microseconds(market_order(exchange), COUNT)
        limit_us = microseconds(resting_order(exchange), COUNT)
        rest_us = microseconds(rest_request(exchange, COUNT), COUNT)
        costs[size] = (market_us, limit_us)
        cells = [f"{1e6 / cost:10,.0f}/s {cost:6.1f} µs" for cost in (market_us, limit_us, rest_us)]
        _say(f"{size:>8,} " + " ".join(f"{cell:>22}" for cell in cells))
    for name, index in (("market order", 0), ("limit + cancel", 1)):
        ratio = costs[1_000][index] / peer_us
        growth = costs[SIZES[-1]][index] / costs[SIZES[0]][index]
        verdicts += [ratio <= ORDER_TO_PEER_MAX, growth <= GROWTH_MAX]
        _say(
            f"{name}: {ratio:.1f} x peer (at most {ORDER_TO_PEER_MAX:g}) {_verdict(is_good=verdicts[-2])},"
            f" growth 10 to 10,000 resting x {growth:.2f} (at most {GROWTH_MAX:g}) {_verdict(is_good=verdicts[-1])}"
        )
    nothing = requests_per_second("nothing", COUNT)
    orders = requests_per_second("exchange", COUNT)
    verdicts.append(orders / nothing >= SERVED_SHARE_MIN)
    _say(
        f"loopback: {orders:,.0f} order requests/s, doing nothing {nothing:,.0f}/s:"
        f" share {orders / nothing:.2f} (at least {SERVED_SHARE_MIN:g}) {_verdict(is_good=verdicts[-1])}"
    )
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
