"""What a command owes its positions."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from bracketeer.app.care import Finishing
from bracketeer.core.bracket import Bracket, CloseReason, ProtectionLeg
from bracketeer.core.intent import OrderIntent
from bracketeer.core.order import AlgoOrder, Order
from bracketeer.core.state import State
from bracketeer.core.values import AlgoStatus, OrderStatus, OrderType, PositionSide, Role, Side, WorkingType
from bracketeer.execution.settling import is_guarded, is_protected

STOP = ProtectionLeg(
    role=Role.STOP_LOSS,
    order_type=OrderType.STOP_MARKET,
    trigger_price=Decimal(58000),
    working_type=WorkingType.CONTRACT_PRICE,
)


def _intent(role: Role, side: Side) -> OrderIntent:
    return OrderIntent(
        client_order_id=role.name, signal_id="trade-1", role=role, symbol="BTCUSDT", side=side, quantity=Decimal(1)
    )


def _state(entry: OrderStatus, stop: AlgoStatus | None, *, asked: bool = True, closing: bool = False) -> State:
    ids: dict[Role, tuple[str, ...]] = {Role.ENTRY: ("ENTRY",)}
    if stop is not None:
        ids[Role.STOP_LOSS] = ("STOP_LOSS",)
    bracket = Bracket(
        signal_id="trade-1",
        symbol="BTCUSDT",
        position_side=PositionSide.BOTH,
        entry_side=Side.BUY,
        quantity=Decimal(1),
        received_at_ms=0,
        stop_loss=STOP if asked else None,
        ids=ids,
        closing=CloseReason.SIGNAL if closing else None,
    )
    executed = Decimal(1) if entry is OrderStatus.FILLED else Decimal(0)
    order = replace(Order(intent=_intent(Role.ENTRY, Side.BUY)), status=entry, executed=executed)
    state = State(brackets={"trade-1": bracket}, orders={"ENTRY": order})
    if stop is not None:
        algo = AlgoOrder(intent=_intent(Role.STOP_LOSS, Side.SELL))
        state.algos["STOP_LOSS"] = replace(algo, status=stop)
    return state


@pytest.mark.parametrize(
    ("state", "guarded"),
    [
        (State(), True),
        (_state(OrderStatus.FILLED, AlgoStatus.NEW), True),
        (_state(OrderStatus.FILLED, None, asked=False), True),
        (_state(OrderStatus.REJECTED, None), True),
        (_state(OrderStatus.FILLED, None), False),
        (_state(OrderStatus.FILLED, AlgoStatus.PENDING_NEW), False),
        (_state(OrderStatus.FILLED, AlgoStatus.EXPIRED), False),
        (_state(OrderStatus.UNRESOLVED, None), False),
        (_state(OrderStatus.FILLED, AlgoStatus.NEW, closing=True), False),
    ],
    ids=[
        "nothing",
        "stop live",
        "no stop asked for",
        "nothing opened",
        "no stop yet",
        "stop in flight",
        "stop gone",
        "entry unknown",
        "being closed",
    ],
)
def test_manager_may_leave_guarded_positions_only(state: State, guarded: bool) -> None:
    """Every open position has its live stop, every entry its outcome, and nothing is half closed."""
    assert is_guarded(state) is guarded


def test_manager_may_not_leave_what_would_outlive_its_position() -> None:
    """An order that left with the entry is replaced first, by one that dies with the position."""
    state = _state(OrderStatus.FILLED, AlgoStatus.NEW)
    stop = state.algos["STOP_LOSS"]
    state.algos["STOP_LOSS"] = replace(stop, intent=replace(stop.intent, armed=True, quantity=Decimal(1)))
    assert is_protected(state)
    assert not is_guarded(state)


def test_failure_of_the_work_is_raised_where_it_is_waited_for() -> None:
    """It happened on another thread, and is ours all the same."""

    def fail() -> None:
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        Finishing(fail).run(lambda: None)
