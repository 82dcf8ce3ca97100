"""P1 to P8 after every step, from the exchange's own books and from what left the manager: never from what it believes.

It shares no code with the manager: how an order of ours is known, and which signal an entry belongs to (each one has a
quantity of its own), is read from the orders themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from bracketeer.simulator.exchange import Exchange

from .disk import Disk
from .judge_closes import CloseJudge
from .judge_naked import NakedJudge
from .judge_orders import OrderJudge
from .judge_stream import StreamJudge
from .wire import Sent

OURS = "bktr-"
FORCED = ("adl_autoclose", "autoclose-")
"""The exchange's own orders: what they take off may be anybody's."""
ZERO = Decimal(0)
APART_MS = 10_000
"""Fills further apart belong to different trades."""
ORPHAN_MS = 12_000
"""How long an order of ours may outlive its position: unclear answers are asked about every 5 s."""


BAN_KNOWN_MS = 200
"""What was about to leave, in other threads, when a ban was heard of."""
_ID_NAMES = ("newclientorderid", "clientalgoid", "origclientorderid")


class Broken(AssertionError):  # noqa: N818 - reads as the fact it states
    """A promise is not kept."""


class Leg:
    """One symbol, as the books tell it."""

    def __init__(self) -> None:
        self.total = ZERO
        self.ours = ZERO
        self.debt = ZERO  # what a protective order of ours took off a position of others: that much is theirs after it
        self.orphan_ms: int | None = None
        self.changed_ms = 0  # the last fill
        self.is_mixed = False  # somebody else traded on it
        self.theirs = ZERO  # what they added to it: who of the two bore what others took off cannot be told
        self.claim = ""  # the signal under which the manager has it, where it was claimed


class Judge:
    """Watches one run."""

    def __init__(
        self, exchange: Exchange, disk: Disk, naked_limit_ms: int, round_trip_ms: int, now_us: Callable[[], int]
    ) -> None:
        self._now_us = now_us
        self.exchange = exchange
        self.disk = disk
        self.round_trip_ms = round_trip_ms
        self.naked = NakedJudge(naked_limit_ms, round_trip_ms)
        self.orders = OrderJudge(exchange, round_trip_ms)
        self.stream = StreamJudge()
        self.closes = CloseJudge()
        self.legs: dict[str, Leg] = {}
        self.wanted: dict[tuple[str, Decimal], str] = {}  # what entry signals asked for
        self.executed: Counter[tuple[str, Decimal]] = Counter()
        self.able_ms = 0  # since when the manager runs and can reach the exchange; far off while not
        self.silent_ms = 0  # until when it may not ask
        self.is_leaving = False  # the manager is being closed in an orderly way
        self.ban = (0, 0)  # from when on the manager knows that it is banned, and until when
        self.is_dated_wrongly = False  # the newest signed request was refused for its timestamp
        self.statuses: Counter[int] = Counter()
        self._intents: dict[str, tuple[str, int]] = {}
        self._claims: dict[str, tuple[str, int]] = {}
        self._fills_seen = 0
        self._algos_seen = 0
        self._seen_orders: set[tuple[str, int]] = set()
        disk.on_line = self._note_line

    @property
    def now_ms(self) -> int:
        """The exchange's steady clock: it is not turned by stories."""
        return self.exchange.clock.steady_ms()

    def leg(self, symbol: str) -> Leg:
        """A symbol's leg."""
        return self.legs.setdefault(symbol, Leg())

    def _note_line(self, name: str, data: bytes, end: int) -> None:
        self.stream.line(data)
        if b'"order_intent"' in data or b'"cancel_intent"' in data:
            kind = b"cancel " if b'"cancel_intent"' in data else b""
            client_id = data.split(b'"client_order_id":"', 1)[1].split(b'"', 1)[0]
            self._intents[(kind + client_id).decode()] = (name, end)
        elif b'"position_claimed"' in data:
            self._claims[data.split(b'"signal_id":"', 1)[1].split(b'"', 1)[0].decode()] = (name, end)

    def has_died(self, *, power: bool) -> None:
        """A process is gone, and with it every claim that did not reach its log: the next one makes it anew, from what
        it sees then. A power cut takes what was told of stops, too: it may believe in one that has gone."""
        if power:
            for gap in self.naked.gaps.values():
                gap.told_ms = 0
        for leg in self.legs.values():
            name, end = self._claims.get(leg.claim, ("", 1))
            if leg.claim and not self.disk.holds(name, end):
                leg.ours, leg.is_mixed, leg.claim = ZERO, True, ""

    def is_claimed(self, symbol: str, amount: Decimal, signal_id: str) -> None:
        """The manager has taken a position of others over: from now on it is to guard it like its own. What they have
        turned to the other side meanwhile is another position, to be claimed anew."""
        leg = self.leg(symbol)
        leg.ours, leg.debt, leg.is_mixed = leg.total if leg.total * amount > 0 else ZERO, ZERO, False
        leg.theirs = ZERO
        leg.claim = signal_id

    def cut_off(self, until_ms: int) -> None:
        """The exchange cannot be reached until then."""
        self.able_ms = max(self.able_ms, until_ms)
        self.closes.cut_off(until_ms)

    # What leaves the manager.

    def request(self, sent: Sent) -> None:
        """A request leaves: P5, and what it says about the manager's doings."""
        if self.ban[0] < self.now_ms < self.ban[1]:
            raise Broken(f"P6: {sent.method} {sent.path} leaves during a ban")
        ours = {symbol: leg.ours for symbol, leg in self.legs.items() if not leg.is_mixed}
        told = {symbol: gap.told_ms for symbol, gap in self.naked.gaps.items()}
        wrong = self.orders.request(sent, ours, told, self.now_ms - self.able_ms)
        if wrong:
            raise Broken(wrong)
        if sent.path == "/fapi/v1/order" or sent.path == "/fapi/v1/algoOrder":
            self._order_request(sent)
        elif sent.method == "DELETE" and sent.path != "/fapi/v1/listenKey":
            raise Broken(f"P4: {sent.method} {sent.path} may cancel orders of others")
        elif self.is_dated_wrongly and sent.path == "/fapi/v1/time":
            self.naked.asked("", self.now_ms)  # no question can be answered before that one is
        elif symbol := sent.value("symbol"):
            self.naked.asked(symbol, self.now_ms)

    def _order_request(self, sent: Sent) -> None:
        values = {name: found[0] for name, found in parse_qs(sent.query).items()}
        lower = {name.lower(): value for name, value in values.items()}
        client_id = next((lower[name] for name in _ID_NAMES if name in lower), "")
        leg = self.leg(values["symbol"]) if "symbol" in values else None
        if sent.method == "GET":
            if leg is not None or client_id:
                self.naked.asked(values.get("symbol", ""), self.now_ms)
            return
        if not client_id and lower.get("algoid", "").isdigit():
            algo = self.exchange.account.algo_orders.get(int(lower["algoid"]))
            client_id = "" if algo is None else algo.client_algo_id
        if sent.method == "DELETE" and not client_id.startswith(OURS):
            raise Broken(f"P4: {sent.method} {sent.path} of {client_id or 'a foreign order'}")
        if leg is not None and sent.method == "POST":
            wrong = self.closes.request(sent, self.now_ms, self.silent_ms, is_ours=leg.ours != 0)
            if wrong:
                raise Broken(wrong)
        is_closing = values.get("reduceOnly") == "true" or values.get("closePosition") == "true"
        if leg is not None and sent.path == "/fapi/v1/order" and is_closing:
            self.naked.gaps[values["symbol"]].closing_ms = self.now_ms
        if leg is not None and sent.path == "/fapi/v1/algoOrder" and values.get("type") == "STOP_MARKET":
            self.naked.gaps[values["symbol"]].tried_ms = self.now_ms
        is_exit = sent.method == "DELETE" or is_closing
        if is_exit and self.disk.had_trouble:
            return  # exits go on without the disk (design: journal)
        wanted = f"cancel {client_id}" if sent.method == "DELETE" else client_id
        place = self._intents.get(wanted)
        if place is None or self.disk.safe.get(place[0], 0) < place[1]:
            raise Broken(f"P5: {sent.method} {sent.path} {client_id} left before its intent was safe: {place}")

    def answer(self, sent: Sent, *, is_limit_made: bool = False) -> None:
        """The exchange answered: P6. `is_limit_made`: a fault said 429 or 418, and no count of requests."""
        answer = sent.answer
        assert answer is not None
        self.statuses[answer.status] += 1
        self.closes.answer(sent, self.now_ms)
        if answer.status in (418, 429) and b"-1015" not in answer.body:  # a polite manager asks nothing until then
            wait_ms = 1000 * int(answer.headers.get("retry-after", "60"))
            self.silent_ms = max(self.silent_ms, self.now_ms + wait_ms)
            if answer.status == 418:  # nothing can be done, not even closed, and whoever tries is banned for longer
                self.able_ms = max(self.able_ms, self.now_ms + wait_ms)
        if "signature=" in sent.query:
            self.is_dated_wrongly = b"-1021" in answer.body
        if answer.status in (418, 429) and not is_limit_made:
            raise Broken(f"P6: {sent.method} {sent.path} was answered {answer.status}: {answer.body[:200]!r}")

    def heard(self, answer: Any) -> None:
        """An answer reached the manager: from then on it knows of a ban."""
        if answer.status == 418:
            wait_ms = 1000 * int(answer.headers.get("retry-after", "60"))
            self.ban = (self.now_ms + BAN_KNOWN_MS, self.now_ms + wait_ms - self.round_trip_ms)

    def told(self, symbol: str, source: str, said_us: int) -> None:
        """An answer or event about a symbol reached the manager: does it tell of the gap?"""
        age_ms = self._now_us() // 1000 - said_us // 1000
        exchange_ms = self.exchange.clock.now_ms() - age_ms
        self.naked.told(symbol, source, now_ms=self.now_ms, said_ms=self.now_ms - age_ms, exchange_ms=exchange_ms)

    def unanswered(self, sent: Sent) -> None:
        """A question about a symbol, or one that names none, will not be answered with the truth in time."""
        self.closes.unanswered(sent, self.now_ms)
        self.naked.unanswered(sent)

    # The books.

    def look(self) -> None:
        """After every step that touched the exchange, and whenever time passes."""
        account = self.exchange.account
        fills = account.fills
        for fill in fills[self._fills_seen :]:
            self._judge_fill(fill, account.orders.by_id[fill.symbol, fill.order_id])
        self._fills_seen = len(fills)
        if len(account.algo_orders) != self._algos_seen:
            self._judge_algos(account)
        for (symbol, _), position in account.positions.items():
            self._judge_position(symbol, position.amount)
        if wrong := self.stream.look(self.now_ms, disk_fails=self.disk.had_trouble):
            raise Broken(wrong)

    def _judge_fill(self, fill: Any, order: Any) -> None:
        leg = self.leg(fill.symbol)
        change = fill.quantity if fill.side == "BUY" else -fill.quantity
        before, leg.total = leg.total, leg.total + change
        if self.now_ms - leg.changed_ms > APART_MS:
            leg.debt = ZERO
        leg.changed_ms = self.naked.gaps[fill.symbol].filled_ms = self.now_ms
        is_ours = order.client_order_id.startswith(OURS)
        if is_ours and not order.reduce_only and not order.close_position:
            leg.ours += change
            self._judge_entry(order)
        elif is_ours and (before * change >= 0 or before * leg.total < 0):
            raise Broken(f"P3: {order.client_order_id} made {before} {fill.symbol} into {leg.total}")
        elif is_ours:
            leg.debt += change if leg.ours == 0 else ZERO
            leg.ours += change
        else:
            leg.is_mixed = True
            if before * change >= 0 or not order.client_order_id.startswith(FORCED):
                leg.theirs += change
        if leg.total * leg.ours <= 0:
            leg.ours, leg.claim = ZERO, ""
        elif abs(leg.ours) > abs(leg.total):
            leg.ours = leg.total
        if leg.ours * leg.debt < 0 and abs(leg.ours) <= abs(leg.debt):
            leg.ours = ZERO

    def _judge_entry(self, order: Any) -> None:
        key = (order.symbol, order.quantity)
        if (order.symbol, order.order_id) in self._seen_orders:
            return
        self._seen_orders.add((order.symbol, order.order_id))
        if key not in self.wanted:
            raise Broken(f"P1: no signal asked for {order.client_order_id}: {key}")
        self.executed[key] += 1
        if self.executed[key] > 1:
            raise Broken(f"P1: {self.wanted[key]} was executed {self.executed[key]} times: {order.client_order_id}")

    def _judge_algos(self, account: Any) -> None:
        for algo in list(account.algo_orders.values())[self._algos_seen :]:
            if algo.client_algo_id.startswith(OURS) and not (algo.reduce_only or algo.close_position):
                raise Broken(f"P3: {algo.client_algo_id} could open a position")
        self._algos_seen = len(account.algo_orders)

    def _judge_position(self, symbol: str, amount: Decimal) -> None:
        leg, now = self.leg(symbol), self.now_ms
        leg.total = amount  # liquidation and ADL leave fills too, this is the last word
        if leg.total * leg.ours <= 0:
            leg.ours, leg.claim = ZERO, ""
        covered = ZERO
        resting = 0
        for algo in self.exchange.account.live_algos(symbol):
            if algo.client_algo_id.startswith(OURS):
                resting += 1
                if algo.order_type == "STOP_MARKET" and (algo.side == "SELL") is (amount > 0):
                    covered += abs(amount) if algo.close_position else algo.quantity
        if amount * leg.theirs <= 0:
            leg.theirs = ZERO
        gap = self.naked.gaps[symbol]
        bare_for_ms = 0 if gap.since_ms is None else max(0, now - max(gap.since_ms, self.able_ms))
        self.closes.position(symbol, now, is_flat=amount == 0, bare_for_ms=bare_for_ms)
        if covered < min(abs(leg.ours), abs(amount) - abs(leg.theirs)):
            if gap.since_ms is None:
                has_gone_unheard = self.orders.has_gone_unheard(symbol, amount, gap.told_ms)
                gap.begin(now, has_gone_unheard=has_gone_unheard)
            self._judge_naked(symbol, leg)
        elif gap.since_ms is not None:
            self._judge_naked(symbol, leg)
            gap.since_ms = None
        if not resting and amount == 0:
            leg.is_mixed = False
        if resting and leg.ours == 0 and not (leg.is_mixed and amount != 0):
            if leg.orphan_ms is None:
                leg.orphan_ms = now
            self._judge_orphan(symbol, leg, now)
        else:
            leg.orphan_ms = None

    def _judge_naked(self, symbol: str, leg: Leg) -> None:
        powers = {"able_ms": self.able_ms, "silent_ms": self.silent_ms}
        if wrong := self.naked.look(symbol, self.now_ms, **powers, is_leaving=self.is_leaving):
            raise Broken(f"P2: {leg.ours} {symbol} has been {wrong}")

    def _judge_orphan(self, symbol: str, leg: Leg, now: int) -> None:
        assert leg.orphan_ms is not None
        # During a 429 nothing but protection is sent: what guards nothing any more has to wait.
        if now - max(leg.orphan_ms, self.able_ms, self.naked.gaps[symbol].asked_ms, self.silent_ms) > ORPHAN_MS:
            raise Broken(f"P3: orders of ours rest on flat {symbol} for {now - leg.orphan_ms} ms")
