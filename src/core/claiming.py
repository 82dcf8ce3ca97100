"""Claims: a position that others opened is taken over as a bracket of its own, because the operator said so.

The smallest model that is honest: a bracket whose entry has happened already. Its ledger starts with the amount the
exchange showed; from then on it is a bracket like any other: guarded, closed by CLOSE, watched, replayed. No order was
sent for that entry, so none of its ids is known to the exchange.
"""

from __future__ import annotations

from decimal import Decimal

from .bracket import Bracket, ProtectionLeg
from .checks import check_price_range
from .denial import DenialCode, Denied, denied
from .events import PositionClaimed
from .instrument import Instrument, Rounding, quantity_rules, round_price, stop_loss_price
from .order import Order
from .state import PositionView, SignalRecord, position_key
from .turn import Turn
from .values import OrderStatus, OrderType, Role, Side, plain, tidy

LAG_MS = 5000
"""For so long after a bracket of ours has ended nothing is claimed on its symbol: a read that lags could show it."""


def claim_stop(
    instrument: Instrument, reference_price: Decimal, entry_side: Side, distance_pct: Decimal
) -> Decimal | Denied:
    """Where the stop of a claimed position goes: `distance_pct` percent of the reference price on its losing side,
    rounded towards the earlier exit; or why such a position cannot be guarded."""
    if instrument.status != "TRADING":
        return denied(
            DenialCode.SYMBOL_NOT_TRADING,
            f"{instrument.symbol} is {instrument.status}, not TRADING: no stop can be placed on it.",
            symbol=instrument.symbol,
            status=instrument.status,
        )
    raw = reference_price * (100 - entry_side.sign * distance_pct) / 100
    stop = stop_loss_price(instrument, raw, entry_side)
    if (reference_price - stop) * entry_side.sign <= 0:  # less than a tick away: rounded, it would fire at once
        stop = round_price(instrument, raw, Rounding.DOWN if entry_side is Side.BUY else Rounding.UP)
    return check_price_range("stop_loss", stop, instrument) or tidy(stop)


def claim(turn: Turn, event: PositionClaimed) -> None:
    """Take a position over, unless a bracket of ours is, or was a moment ago, what the exchange shows there."""
    state, policy = turn.state, turn.state.policy
    last_end_ms = state.last_end_ms(event.symbol)
    if state.on_symbol(event.symbol) or event.asked_at_ms < last_end_ms + LAG_MS or event.signal_id in state.signals:
        return
    if policy.claim_stop_distance_pct is None or event.amount == 0:
        return
    side = Side.BUY if event.amount > 0 else Side.SELL
    stop = claim_stop(event.instrument, event.reference_price, side, policy.claim_stop_distance_pct)
    if isinstance(stop, Denied):
        return  # who asks for the claim has told it
    rules = quantity_rules(event.instrument)
    bracket = Bracket(
        signal_id=event.signal_id,
        symbol=event.symbol,
        position_side=event.position_side,
        entry_side=side,
        quantity=abs(event.amount),
        market_max_quantity=rules.maximum,
        market_step=rules.step,
        stop_loss=ProtectionLeg(
            role=Role.STOP_LOSS,
            order_type=OrderType.STOP_MARKET,
            trigger_price=stop,
            working_type=policy.working_type,
        ),
        received_at_ms=turn.now_ms,
        # What changed the position last is in the amount, and nothing did between then and the question.
        claimed_from_ms=max(event.updated_at_ms + 1, event.asked_at_ms - policy.clock_margin_ms),
        average_asked=True,  # the exchange told it with the position; of this entry it knows nothing
    )
    intent = bracket.next_intent(Role.ENTRY, quantity=bracket.quantity)
    turn.update_order(
        Order(
            intent=intent,
            status=OrderStatus.FILLED,
            executed=bracket.quantity,
            average=event.entry_price or None,
            first_fill_ms=turn.now_ms,  # bare since it is ours: before that it was not ours to guard
            updated_ms=event.updated_at_ms,
        )
    )
    bracket = turn.update(bracket.with_id(intent))
    key = position_key(event.symbol, event.position_side)
    state.positions[key] = PositionView(
        amount=event.amount, known_at_ms=event.asked_at_ms, heard_ms=event.updated_at_ms
    )
    state.remember(event.signal_id, SignalRecord(symbol=event.symbol))
    turn.announce(
        "claimed",
        f"a position opened elsewhere is taken over: {plain(event.amount)} {event.symbol}, stop loss {plain(stop)}",
        bracket,
        amount=plain(event.amount),
        stop_loss=plain(stop),
        reference_price=plain(event.reference_price),
    )
