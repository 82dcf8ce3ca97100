"""Stories for the engine: events go in, commands come out, time is a number.

A `Story` drives a fresh `State` and keeps everything that was asked for. It is no exchange: each test says itself what
the exchange does, so that a test can let it do anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from msgspec.structs import replace

from bracketeer.core.client_ids import client_order_id
from bracketeer.core.commands import AnyCommand
from bracketeer.core.events import (
    AlgoAcknowledged,
    AlgoUpdated,
    CancelDone,
    CancelFailed,
    Fill,
    LookUpFailed,
    OpenOrder,
    OrderAcknowledged,
    OrderNotFound,
    OrderUpdated,
    PositionUpdated,
    SignalContext,
    SignalReceived,
    StopMissed,
    StreamConnected,
    StreamLost,
    SubmitFailed,
    SymbolSnapshot,
    TradeRow,
)
from bracketeer.core.instrument import Instrument
from bracketeer.core.outcome import Failure, OutcomeKind, classify
from bracketeer.core.signal import Signal, SignalType
from bracketeer.core.values import AlgoStatus, OrderStatus, PositionSide, Role, Side

from .story_log import T0, StoryLog, submits

__all__ = ["T0", "Story", "submits"]

SYMBOL = "BTCUSDT"
PRICE = Decimal(60000)
LATER = 10_000

RULES = Instrument(
    symbol=SYMBOL,
    status="TRADING",
    tick_size=Decimal("0.10"),
    step_size=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
    max_quantity=Decimal(1000),
    market_max_quantity=Decimal(120),
    min_notional=Decimal(100),
)

E0 = client_order_id("signal-1", Role.ENTRY)
S0 = client_order_id("signal-1", Role.STOP_LOSS)
S1 = client_order_id("signal-1", Role.STOP_LOSS, 1)
P0 = client_order_id("signal-1", Role.TAKE_PROFIT)
P1 = client_order_id("signal-1", Role.TAKE_PROFIT, 1)
X0 = client_order_id("signal-1", Role.EXIT)
X1 = client_order_id("signal-1", Role.EXIT, 1)
X2 = client_order_id("signal-1", Role.EXIT, 2)
F0 = client_order_id("signal-1", Role.FLATTEN)
F1 = client_order_id("signal-1", Role.FLATTEN, 1)


def failure(code: int | None = None, *, unknown: bool = False, resend_ms: int | None = None) -> Failure:
    """A failed send: refused with proof, or unknown."""
    kind = OutcomeKind.UNKNOWN if unknown else OutcomeKind.REFUSED
    return Failure(kind=kind, code=code, text=f"text of {code}", resend_ms=resend_ms)


class Story(StoryLog):
    """One account's life, on the symbol BTCUSDT unless said otherwise."""

    # Signals.

    def signal(
        self,
        signal_type: SignalType = SignalType.LONG_ENTRY,
        signal_id: str = "signal-1",
        *,
        amount: str | None = "0",
        asked_at_ms: int | None = None,
        rules: Instrument = RULES,
        problem: str | None = None,
        quantity: str = "1",
        stop_loss: str | None = "",
        take_profit: str | None = "",
        symbol: str = SYMBOL,
        timestamp: int | None = None,
        ttl_ms: int | None = None,
    ) -> list[AnyCommand]:
        """A signal with its context; an empty text stands for the default price."""
        sign = -1 if signal_type is SignalType.SHORT_ENTRY else 1
        stop_loss = str(PRICE - sign * 2000) if stop_loss == "" else stop_loss
        take_profit = str(PRICE + sign * 2000) if take_profit == "" else take_profit
        entry = signal_type.is_entry
        return self.feed(
            SignalReceived(
                at_ms=self.now,
                signal=Signal(
                    signal_type=signal_type,
                    symbol=symbol,
                    signal_id=signal_id,
                    quantity=quantity if entry else None,
                    stop_loss=stop_loss if entry else None,
                    take_profit=take_profit if entry else None,
                    timestamp=timestamp,
                    ttl_ms=ttl_ms,
                ),
                context=SignalContext(
                    instrument=rules if entry else None,
                    reference_price=PRICE if entry else None,
                    position_amount=None if amount is None else Decimal(amount),
                    asked_at_ms=asked_at_ms,
                    problem=problem,
                    problem_text="why" if problem else "",
                ),
            )
        )

    def close(self, signal_id: str = "close-1", signal_type: SignalType = SignalType.CLOSE) -> list[AnyCommand]:
        """A CLOSE signal while the exchange shows our position."""
        return self.signal(signal_type, signal_id, amount="1")

    def filled(
        self, signal_type: SignalType = SignalType.LONG_ENTRY, rules: Instrument = RULES, take_profit: str | None = ""
    ) -> Story:
        """Entry filled, told by its answer and by the stream; stop and target are on their way."""
        self.signal(signal_type, rules=rules, take_profit=take_profit)
        self.fill(E0)
        self.position(str(self.order(E0).executed * self.intent(E0).side.sign))
        self.ack(E0, executed=str(self.order(E0).executed))
        return self

    def protected(
        self, signal_type: SignalType = SignalType.LONG_ENTRY, rules: Instrument = RULES, take_profit: str | None = ""
    ) -> Story:
        """Entry filled, stop and target live, told by answers and by the stream; the caller has been answered."""
        self.filled(signal_type, rules, take_profit)
        for client_id in (S0, P0) if take_profit is not None else (S0,):
            self.ack_algo(client_id)
            self.algo_told(client_id, AlgoStatus.NEW)
        assert [report.status for report in self.reports] == ["protected"]
        self.now += LATER
        return self

    # Answers.

    def ack(self, client_id: str, executed: str = "0", status: OrderStatus | None = None) -> list[AnyCommand]:
        """A normal order is accepted; filled for `executed`."""
        quantity = self.intent(client_id).quantity or Decimal(0)
        done = Decimal(executed)
        default = OrderStatus.NEW if done == 0 else OrderStatus.FILLED
        return self.feed(
            OrderAcknowledged(
                at_ms=self.now,
                client_order_id=client_id,
                exchange_order_id=exchange_id(client_id),
                status=status or default,
                quantity=quantity,
                executed_quantity=done,
                exchange_time_ms=self.now,
                sent_at_ms=self.now,
            )
        )

    def ack_algo(self, client_id: str, at_ms: int | None = None) -> list[AnyCommand]:
        """A conditional order is accepted."""
        return self.feed(
            AlgoAcknowledged(
                at_ms=self.now,
                client_order_id=client_id,
                algo_id=exchange_id(client_id),
                status=AlgoStatus.NEW,
                exchange_time_ms=at_ms or self.now,
                sent_at_ms=self.now,
            )
        )

    def refuse(self, client_id: str, code: int, *, resend_ms: int | None = None) -> list[AnyCommand]:
        """A send is refused."""
        return self._failed(client_id, failure(code, resend_ms=resend_ms))

    def send_fails(self, client_id: str) -> list[AnyCommand]:
        """A send finds no connection."""
        return self._failed(client_id, classify(http_status=None, code=None, text="no connection", sent=False))

    def send_barred(self, client_id: str, until_ms: int) -> list[AnyCommand]:
        """A send is held back: a ban."""
        wait_s = (until_ms - self.now) / 1000
        return self._failed(client_id, Failure(kind=OutcomeKind.REFUSED, text="not sent: banned", retry_after_s=wait_s))

    def unknown(self, client_id: str) -> list[AnyCommand]:
        """Nobody knows what became of a send."""
        return self._failed(client_id, failure(unknown=True))

    def _failed(self, client_id: str, what: Failure) -> list[AnyCommand]:
        return self.feed(SubmitFailed(at_ms=self.now, client_order_id=client_id, failure=what, sent_at_ms=self.now))

    def cancelled(self, client_id: str, *, gone: bool = False) -> list[AnyCommand]:
        """A cancel was done."""
        return self.feed(CancelDone(at_ms=self.now, client_order_id=client_id, gone=gone))

    def cancel_failed(self, client_id: str, code: int = -4117) -> list[AnyCommand]:
        """A cancel was refused."""
        return self.feed(CancelFailed(at_ms=self.now, client_order_id=client_id, failure=failure(code)))

    def not_found(
        self, client_id: str, asked_at_ms: int | None = None, *, resting: tuple[str, ...] | None = None
    ) -> list[AnyCommand]:
        """The exchange does not know an order; of a conditional one, what the open list had instead."""
        return self.feed(
            OrderNotFound(
                at_ms=self.now,
                client_order_id=client_id,
                asked_at_ms=self.now if asked_at_ms is None else asked_at_ms,
                algo=client_id in self.state.algos,
                resting=resting,
            )
        )

    def stop_missed(self, client_id: str, asked_at_ms: int | None = None) -> list[AnyCommand]:
        """The watch found a list that lacks a stop."""
        asked = self.now if asked_at_ms is None else asked_at_ms
        return self.feed(StopMissed(at_ms=self.now, symbol=SYMBOL, client_order_id=client_id, asked_at_ms=asked))

    def look_up_failed(
        self, client_id: str = "", symbol: str = "", *, algo: bool = False, retry_after_s: float | None = None
    ) -> list[AnyCommand]:
        """A question went unanswered, or was held back for so long."""
        why = replace(failure(unknown=True), retry_after_s=retry_after_s)
        return self.feed(LookUpFailed(at_ms=self.now, failure=why, client_order_id=client_id, symbol=symbol, algo=algo))

    # The stream, and answers about orders.

    def fill(
        self,
        client_id: str,
        quantity: str | None = None,
        *,
        price: Decimal = PRICE,
        status: OrderStatus | None = None,
        source: str = "stream",
        told_at_ms: int | None = None,
    ) -> list[AnyCommand]:
        """An order of ours traded: all that is left of it, or a part."""
        record = self.state.orders.get(client_id)
        intent = record.intent if record else self.algo(client_id).intent
        before = record.executed if record else Decimal(0)
        whole = intent.quantity or self.order(E0).executed
        part = whole - before if quantity is None else Decimal(quantity)
        self.trade_id += 1
        done = OrderStatus.FILLED if before + part == whole else OrderStatus.PARTIALLY_FILLED
        return self.told(
            client_id,
            status or done,
            executed=str(before + part),
            fill=Fill(trade_id=self.trade_id, price=price, quantity=part),
            source=source,
            told_at_ms=told_at_ms,
        )

    def told(
        self,
        client_id: str,
        status: OrderStatus,
        *,
        executed: str = "0",
        average: str | None = None,
        fill: Fill | None = None,
        source: str = "stream",
        side: Side = Side.SELL,
        told_at_ms: int | None = None,
    ) -> list[AnyCommand]:
        """The state of a normal order; `side` is for orders that are not ours."""
        record = self.state.orders.get(client_id) or self.state.algos.get(client_id)
        return self.feed(
            OrderUpdated(
                at_ms=self.now,
                symbol=SYMBOL,
                client_order_id=client_id,
                exchange_order_id=exchange_id(client_id),
                side=record.intent.side if record else side,
                status=status,
                quantity=Decimal(1),
                executed_quantity=Decimal(executed),
                average_price=None if average is None else Decimal(average),
                fill=fill,
                exchange_time_ms=self.now if told_at_ms is None else told_at_ms,
                source=source,
            )
        )

    def foreign_fill(self, quantity: str, side: Side = Side.SELL, client_id: str = "web_1") -> list[AnyCommand]:
        """Somebody else traded on the symbol."""
        self.trade_id += 1
        fill = Fill(trade_id=self.trade_id, price=PRICE, quantity=Decimal(quantity))
        return self.told(client_id, OrderStatus.FILLED, executed=quantity, fill=fill, side=side)

    def algo_told(
        self, client_id: str, status: AlgoStatus, *, source: str = "stream", told_at_ms: int | None = None
    ) -> list[AnyCommand]:
        """The state of a conditional order."""
        triggered = status in (AlgoStatus.TRIGGERED, AlgoStatus.FINISHED)
        return self.feed(
            AlgoUpdated(
                at_ms=self.now,
                symbol=SYMBOL,
                client_order_id=client_id,
                algo_id=exchange_id(client_id),
                status=status,
                actual_order_id=exchange_id(client_id) if triggered else None,
                exchange_time_ms=self.now if told_at_ms is None else told_at_ms,
                source=source,
            )
        )

    def trigger(self, client_id: str, *, filled: bool = True) -> None:
        """A leg fires: the events of binance-usdm.md §4.5 up to the fill (or its absence)."""
        self.algo_told(client_id, AlgoStatus.TRIGGERING)
        self.algo_told(client_id, AlgoStatus.TRIGGERED)
        self.told(client_id, OrderStatus.NEW)
        if filled:
            self.fill(client_id)
        else:
            self.told(client_id, OrderStatus.EXPIRED)
        self.algo_told(client_id, AlgoStatus.FINISHED)

    def position(self, amount: str, told_at_ms: int | None = None) -> list[AnyCommand]:
        """The stream tells the position."""
        at_ms = self.now if told_at_ms is None else told_at_ms
        return self.feed(PositionUpdated(at_ms=self.now, symbol=SYMBOL, amount=Decimal(amount), exchange_time_ms=at_ms))

    def stream_lost(self) -> list[AnyCommand]:
        """The stream ends."""
        return self.feed(StreamLost(at_ms=self.now, reason="closed"))

    def stream_connected(self) -> list[AnyCommand]:
        """The stream is there (again)."""
        return self.feed(StreamConnected(at_ms=self.now))

    def snapshot(
        self,
        amount: str = "0",
        resting: Iterable[str] = (),
        trades: tuple[TradeRow, ...] | None = None,
        requested_at_ms: int | None = None,
        *,
        is_partial: bool = False,
    ) -> list[AnyCommand]:
        """The exchange's picture of the symbol; `resting` are client ids of conditional orders."""
        rows = tuple(
            OpenOrder(
                client_order_id=client_id,
                exchange_id=exchange_id(client_id),
                algo=True,
                side=Side.SELL,
                order_type="STOP_MARKET",
                status="NEW",
                close_position=True,
                updated_at_ms=self.now,
            )
            for client_id in resting
        )
        return self.feed(
            SymbolSnapshot(
                at_ms=self.now,
                symbol=SYMBOL,
                requested_at_ms=self.now if requested_at_ms is None else requested_at_ms,
                amounts={PositionSide.BOTH: Decimal(amount)} if Decimal(amount) else {},
                is_partial=is_partial,
                orders=None if is_partial else rows,
                trades=trades,
            )
        )

    def trade(
        self, order: str, quantity: str, side: Side = Side.SELL, trade_id: int | None = None, *, traced: bool = True
    ) -> TradeRow:
        """A row of userTrades; `traced` to the client id of its order, or not."""
        self.trade_id += 1
        return TradeRow(
            trade_id=self.trade_id if trade_id is None else trade_id,
            exchange_order_id=exchange_id(order),
            client_order_id=order if traced else "",
            side=side,
            price=PRICE,
            quantity=Decimal(quantity),
            exchange_time_ms=self.now,
        )


def exchange_id(client_id: str) -> int:
    """The exchange's id of an order: any number, as long as it is always the same."""
    return int.from_bytes(client_id.encode()) % 1_000_000_007 + 1
