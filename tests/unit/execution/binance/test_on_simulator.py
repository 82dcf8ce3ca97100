"""Gateway and user stream against the simulated exchange, over real sockets: the whole tour of an order's life."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from bracketeer.core.client_ids import client_order_id
from bracketeer.core.commands import LookUpOrder, LookUpSymbol
from bracketeer.core.events import (
    AlgoAcknowledged,
    AlgoUpdated,
    AnyEvent,
    CancelDone,
    OrderAcknowledged,
    OrderNotFound,
    OrderUpdated,
    PositionUpdated,
    StreamConnected,
    StreamLost,
    SubmitFailed,
    SymbolSnapshot,
)
from bracketeer.core.intent import OrderIntent
from bracketeer.core.outcome import OutcomeKind
from bracketeer.core.redaction import Redactor
from bracketeer.core.request_weight import RequestWeightTracker
from bracketeer.core.settings import Settings
from bracketeer.core.values import AlgoStatus, MarginType, OrderStatus, OrderType, PositionSide, Role, Side, WorkingType
from bracketeer.execution.binance.gateway import BinanceGateway, connect_gateway
from bracketeer.execution.binance.user_stream import BinanceUserStream
from bracketeer.execution.clock import SystemClock
from bracketeer.execution.errors import AuthenticationFailed, ExchangeRefused
from bracketeer.simulator.server import RunningSimulator, SimulatorConfig, start_in_thread

SYMBOL = "BTCUSDT"
ENTRY = client_order_id("s1", Role.ENTRY)
STOP = client_order_id("s1", Role.STOP_LOSS)
TARGET = client_order_id("s1", Role.TAKE_PROFIT)


def new_gateway(simulator: RunningSimulator, secret: str | None = None) -> BinanceGateway:
    """A gateway on the simulator, over real sockets."""
    clock = SystemClock()
    tracker = RequestWeightTracker(now_ms=clock.now_ms)
    return connect_gateway(
        simulator.api_key,
        secret or simulator.api_secret,
        simulator.rest_url,
        Settings(),
        clock,
        tracker,
        Redactor(),
    )


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    """An exchange whose prices only move when told."""
    with start_in_thread(SimulatorConfig(prices="frozen")) as running:
        running.set_price(SYMBOL, "60000")
        yield running


@pytest.fixture
def gateway(simulator: RunningSimulator) -> Iterator[BinanceGateway]:
    """A gateway that knows the time."""
    opened = new_gateway(simulator)
    opened.synchronise_clock()
    yield opened
    opened.close()


class Inbox:
    """Events as they come, and a way to wait for one without sleeping."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self._changed = threading.Condition()

    def put(self, event: AnyEvent) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[list[AnyEvent]], bool]) -> list[AnyEvent]:
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.events), timeout=10), self.events
            return list(self.events)

    def count(self, kind: type[AnyEvent]) -> int:
        return sum(isinstance(event, kind) for event in self.events)


@pytest.fixture
def inbox(simulator: RunningSimulator, gateway: BinanceGateway) -> Iterator[Inbox]:
    """What the user stream tells, from the moment it is connected."""
    received = Inbox()
    stream = BinanceUserStream(gateway, simulator.stream_url, SystemClock())
    stream.start(received.put)
    received.wait_for(lambda events: len(events) > 0)
    yield received
    stream.stop()


def entry(quantity: str = "0.010") -> OrderIntent:
    """A market entry, long."""
    return OrderIntent(
        client_order_id=ENTRY,
        signal_id="s1",
        role=Role.ENTRY,
        symbol=SYMBOL,
        side=Side.BUY,
        quantity=Decimal(quantity),
    )


def leg(client_id: str, role: Role, order_type: OrderType, trigger: str) -> OrderIntent:
    """A protective order for the whole position."""
    return OrderIntent(
        client_order_id=client_id,
        signal_id="s1",
        role=role,
        symbol=SYMBOL,
        side=Side.SELL,
        order_type=order_type,
        trigger_price=Decimal(trigger),
        working_type=WorkingType.CONTRACT_PRICE,
        close_position=True,
    )


def stop() -> OrderIntent:
    """The stop loss."""
    return leg(STOP, Role.STOP_LOSS, OrderType.STOP_MARKET, "58000")


def target() -> OrderIntent:
    """The take profit."""
    return leg(TARGET, Role.TAKE_PROFIT, OrderType.TAKE_PROFIT_MARKET, "66000")


def about(client_id: str, *, algo: bool) -> LookUpOrder:
    """A question about one order."""
    return LookUpOrder(client_order_id=client_id, signal_id="s1", symbol=SYMBOL, algo=algo, why="test")


def test_a_bracket_from_entry_to_take_profit(
    simulator: RunningSimulator, gateway: BinanceGateway, inbox: Inbox
) -> None:
    """Entry, both legs, the trigger, and what is left: told by answers, by the stream and by look-ups alike."""
    filled = gateway.submit(entry())
    assert isinstance(filled, OrderAcknowledged)
    assert (filled.status, filled.executed_quantity) == (OrderStatus.FILLED, Decimal("0.010"))
    for intent in (stop(), target()):
        resting = gateway.submit(intent)
        assert isinstance(resting, AlgoAcknowledged), resting
        assert resting.status is AlgoStatus.NEW
    snapshot = gateway.look_up_symbol(
        LookUpSymbol(symbol=SYMBOL, why="test", trades_since_ms=gateway.exchange_now_ms() - 60_000)
    )
    assert isinstance(snapshot, SymbolSnapshot)
    assert snapshot.amounts == {PositionSide.BOTH: Decimal("0.010")}
    assert snapshot.orders is not None
    assert {order.client_order_id for order in snapshot.orders} == {STOP, TARGET}
    assert all(order.close_position and order.algo for order in snapshot.orders)
    assert sum(trade.quantity for trade in snapshot.trades or ()) == Decimal("0.010")

    simulator.set_price(SYMBOL, "66100")
    inbox.wait_for(
        lambda events: (
            any(
                isinstance(event, OrderUpdated)
                and event.client_order_id == TARGET
                and event.status is OrderStatus.FILLED
                for event in events
            )
            and any(isinstance(event, PositionUpdated) and event.amount == 0 for event in events)
            and any(
                isinstance(event, AlgoUpdated)
                and event.client_order_id == TARGET
                and event.status is AlgoStatus.FINISHED
                for event in events
            )
        )
    )
    became, finished = gateway.look_up_order(about(TARGET, algo=True))
    assert isinstance(became, OrderUpdated)
    assert isinstance(finished, AlgoUpdated)
    assert (became.client_order_id, became.status) == (TARGET, OrderStatus.FILLED)
    assert became.average_price is not None
    assert finished.actual_order_id == became.exchange_order_id
    (ended,) = gateway.look_up_order(about(STOP, algo=True))
    assert isinstance(ended, AlgoUpdated)
    assert ended.status is AlgoStatus.EXPIRED
    assert gateway.position_amounts(SYMBOL) == {}
    assert gateway.open_orders(SYMBOL) == []


def test_the_stream_tells_fills_and_positions(gateway: BinanceGateway, inbox: Inbox) -> None:
    """Every fill once, with its price; the position after it."""
    gateway.submit(entry())
    inbox.wait_for(lambda events: any(isinstance(event, PositionUpdated) for event in events))
    events = inbox.wait_for(
        lambda events: any(isinstance(event, OrderUpdated) and event.status is OrderStatus.FILLED for event in events)
    )
    fills = [event.fill for event in events if isinstance(event, OrderUpdated) and event.fill is not None]
    assert sum(fill.quantity for fill in fills) == Decimal("0.010")
    assert all(fill.price > 0 for fill in fills)
    assert all(abs(event.at_ms - gateway.exchange_now_ms()) < 10_000 for event in events)


def test_a_lost_reply_is_unknown_and_the_order_is_found(simulator: RunningSimulator, gateway: BinanceGateway) -> None:
    """Executed, connection dropped before the answer: exactly one fill, and a look-up tells it."""
    simulator.fault("reply_lost", method="POST", path="/fapi/v1/order")
    lost = gateway.submit(entry())
    assert isinstance(lost, SubmitFailed)
    assert lost.failure.kind is OutcomeKind.UNKNOWN
    (found,) = gateway.look_up_order(about(ENTRY, algo=False))
    assert isinstance(found, OrderUpdated)
    assert (found.status, found.executed_quantity) == (OrderStatus.FILLED, Decimal("0.010"))
    assert found.average_price is not None
    assert gateway.position_amounts() == {(SYMBOL, PositionSide.BOTH): Decimal("0.010")}


def test_a_lost_request_is_unknown_and_the_order_is_not_found(
    simulator: RunningSimulator, gateway: BinanceGateway
) -> None:
    """Not executed: looks the same from here, which is why nothing is sent again."""
    simulator.fault("request_lost", method="POST", path="/fapi/v1/order")
    lost = gateway.submit(entry())
    assert isinstance(lost, SubmitFailed)
    assert lost.failure.kind is OutcomeKind.UNKNOWN
    (missing,) = gateway.look_up_order(about(ENTRY, algo=False))
    assert isinstance(missing, OrderNotFound)
    assert missing.asked_at_ms >= lost.sent_at_ms


def test_a_lost_stop_is_found_by_its_id(simulator: RunningSimulator, gateway: BinanceGateway) -> None:
    """The algo service knows it."""
    gateway.submit(entry())
    simulator.fault("reply_lost", method="POST", path="/fapi/v1/algoOrder")
    assert isinstance(gateway.submit(stop()), SubmitFailed)
    (found,) = gateway.look_up_order(about(STOP, algo=True))
    assert isinstance(found, AlgoUpdated)
    assert found.status is AlgoStatus.NEW
    assert isinstance(gateway.look_up_order(about(TARGET, algo=True))[0], OrderNotFound)


def test_the_two_kinds_of_503_are_told_apart_by_look_up(simulator: RunningSimulator, gateway: BinanceGateway) -> None:
    """Both are answered the same way; only one left a position."""
    simulator.fault("status_503_executed", method="POST", path="/fapi/v1/order")
    event = gateway.submit(entry())
    assert isinstance(event, SubmitFailed)
    assert event.failure.kind is OutcomeKind.UNKNOWN
    assert isinstance(gateway.look_up_order(about(ENTRY, algo=False))[0], OrderUpdated)


def test_a_stop_without_a_position_is_refused_and_may_be_sent_again(gateway: BinanceGateway) -> None:
    """-4509: transient right after a fill (§4.6)."""
    event = gateway.submit(stop())
    assert isinstance(event, SubmitFailed)
    assert (event.failure.code, event.failure.resend_ms) == (-4509, 100)


def test_a_stop_that_would_trigger_at_once_is_refused(gateway: BinanceGateway) -> None:
    """-2021: the price is through already."""
    gateway.submit(entry())
    event = gateway.submit(leg(STOP, Role.STOP_LOSS, OrderType.STOP_MARKET, "61000"))
    assert isinstance(event, SubmitFailed)
    assert (event.failure.code, event.failure.resend_ms) == (-2021, None)


def test_a_second_stop_for_the_position_is_refused(gateway: BinanceGateway) -> None:
    """-4130: which proves that one is there."""
    gateway.submit(entry())
    gateway.submit(stop())
    event = gateway.submit(
        leg(client_order_id("s1", Role.STOP_LOSS, 1), Role.STOP_LOSS, OrderType.STOP_MARKET, "57000")
    )
    assert isinstance(event, SubmitFailed)
    assert event.failure.code == -4130


def test_an_order_of_a_clock_that_is_off_is_sent_with_the_right_time(
    simulator: RunningSimulator, gateway: BinanceGateway
) -> None:
    """-1021, one measurement, one resend: one fill."""
    simulator.set_clock_offset(7000)
    event = gateway.submit(entry())
    assert isinstance(event, OrderAcknowledged)
    assert abs(gateway.exchange_now_ms() - SystemClock().now_ms() - 7000) < 2000
    assert gateway.position_amounts() == {(SYMBOL, PositionSide.BOTH): Decimal("0.010")}


def test_cancelling_takes_an_order_away_and_is_content_when_it_is_gone(gateway: BinanceGateway) -> None:
    """Twice: the second time it is gone."""
    gateway.submit(entry())
    gateway.submit(stop())
    first, second = (gateway.cancel(STOP, SYMBOL, algo=True) for _ in range(2))
    assert isinstance(first, CancelDone)
    assert isinstance(second, CancelDone)
    assert (first.gone, second.gone) == (False, True)
    assert gateway.open_orders(SYMBOL) == []
    never = gateway.cancel(client_order_id("s9", Role.STOP_LOSS), SYMBOL, algo=True)
    assert isinstance(never, CancelDone)
    assert never.gone


def test_settings_and_questions_of_a_person(gateway: BinanceGateway) -> None:
    """Leverage, margin type, balance, mode, prices, rules."""
    assert gateway.set_leverage(SYMBOL, 7) == 7
    changed = [gateway.set_margin_type(SYMBOL, MarginType.ISOLATED) for _ in range(2)]
    assert changed[1] is False
    assert gateway.hedge_mode() is False
    assert gateway.balance() > 0
    assert gateway.reference_price(SYMBOL, WorkingType.CONTRACT_PRICE) == Decimal(60000)
    assert gateway.reference_price(SYMBOL, WorkingType.MARK_PRICE) > 0
    instruments, rate_limits = gateway.instruments()
    assert instruments[SYMBOL].tick_size > 0
    assert rate_limits
    gateway.submit(entry())
    assert [Decimal(row["positionAmt"]) for row in gateway.position_row(SYMBOL)] == [Decimal("0.010")]
    with pytest.raises(ExchangeRefused):
        gateway.set_leverage(SYMBOL, 9999)


def test_a_wrong_secret_is_an_authentication_failure(simulator: RunningSimulator) -> None:
    """With advice, and without the secret."""
    wrong = "canary-wrong-secret-0123456789"
    gateway = new_gateway(simulator, wrong)
    with pytest.raises(AuthenticationFailed, match="BINANCE_API_KEY") as caught:
        gateway.balance()
    gateway.close()
    assert wrong not in repr(caught.value) + str(caught.value)


def test_a_dropped_stream_comes_back(simulator: RunningSimulator, gateway: BinanceGateway) -> None:
    """Lost, connected, and telling again. The pause in between is skipped: it is the stream's own test's business."""
    received = Inbox()
    stream = BinanceUserStream(gateway, simulator.stream_url, SystemClock(), wait=lambda _seconds: False)
    stream.start(received.put)
    received.wait_for(lambda events: len(events) > 0)
    simulator.fault("stream_drop")
    events = received.wait_for(lambda _events: received.count(StreamConnected) == 2)
    assert [type(event) for event in events] == [StreamConnected, StreamLost, StreamConnected]
    gateway.submit(entry())
    received.wait_for(lambda _events: received.count(PositionUpdated) == 1)
    stream.stop()


def test_a_mute_stream_tells_again_after_it_was_renewed(simulator: RunningSimulator, gateway: BinanceGateway) -> None:
    """It was open and silent; what it missed stays missed, what comes after the renewal arrives."""
    received = Inbox()
    stream = BinanceUserStream(gateway, simulator.stream_url, SystemClock())
    stream.start(received.put)
    received.wait_for(lambda events: len(events) > 0)
    simulator.fault("stream_mute")
    gateway.submit(entry())
    simulator.fault("stream_unmute")
    stream.renew()
    received.wait_for(lambda _events: received.count(StreamConnected) == 2)
    simulator.trade_by_hand(SYMBOL, "SELL", "0.010")
    received.wait_for(lambda _events: received.count(PositionUpdated) == 1)
    stream.stop()
    positions = [event.amount for event in received.events if isinstance(event, PositionUpdated)]
    assert positions == [Decimal(0)]
    assert [event.reason for event in received.events if isinstance(event, StreamLost)] == ["stopped"]


def test_a_stream_stops_within_a_second_and_says_so(simulator: RunningSimulator, gateway: BinanceGateway) -> None:
    """Its thread is gone afterwards."""
    received = Inbox()
    stream = BinanceUserStream(gateway, simulator.stream_url, SystemClock())
    stream.start(received.put)
    received.wait_for(lambda events: len(events) > 0)
    stream.renew()
    received.wait_for(lambda _events: received.count(StreamConnected) == 2)
    before_s = SystemClock().monotonic()
    stream.stop()
    assert SystemClock().monotonic() - before_s < 1
    assert stream._thread is not None
    assert not stream._thread.is_alive()
    assert isinstance(received.events[-1], StreamLost)
    assert received.events[-1].reason == "stopped"


def test_no_listen_key_is_logged_on_the_way(
    simulator: RunningSimulator, gateway: BinanceGateway, caplog: pytest.LogCaptureFixture
) -> None:
    """The WebSocket library logs the address it connects to, at DEBUG."""
    for name in ("websockets", "websockets.client", "urllib3", ""):
        caplog.set_level(logging.DEBUG, logger=name)
    key = gateway.open_listen_key()
    received = Inbox()
    stream = BinanceUserStream(gateway, simulator.stream_url, SystemClock())
    stream.start(received.put)
    received.wait_for(lambda events: len(events) > 0)
    gateway.submit(entry())
    received.wait_for(lambda _events: received.count(PositionUpdated) == 1)
    stream.stop()
    ours = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith(("uvicorn", "websockets.server"))
    )
    assert key not in ours
    assert simulator.api_secret not in ours
    assert simulator.api_key not in ours
