"""Orders whose fate is not known: asked about until the exchange tells, or proof of absence is complete.

Nothing here sends an order again because an answer is missing; the one exception, protective orders, is the planner's
(design: outcomes). "No such order" is believed only when no request of it can arrive any more (binance-usdm.md §8.1).
"""

from __future__ import annotations

from decimal import Decimal
from itertools import accumulate

from .bracket import Bracket
from .denial import DenialCode
from .order import ALGO_TRIGGERED, AlgoOrder, Order
from .position import expected_amount, newest_fill_known_ms, open_quantity, orders_of
from .state import position_key
from .turn import Turn
from .values import AlgoStatus, OrderStatus, Role

RESEND_TRIES = 4
"""How often an entry is sent at most, each time with proof that the one before did not execute."""
RESEND_WITHIN_MS = 3000
"""How long after its signal an entry may be sent again: a market entry seconds late is another trade."""
ASK_AGAIN_MS = 250
ASK_SELDOM_MS = 5000
"""What stays unclear is asked about at this pace in the end: the request weight is everybody's."""
STUCK_MS = 1000
"""An acknowledged market order that has not ended after this long is asked about."""
STREAM_SILENCE_MS = 1000
"""What the stream has not told this long after it happened makes the stream suspect."""
STAMP_SLACK_MS = 100
"""An answer may stamp a trade later than the stream does: it has the time of the order's last change."""
LEG_PAUSE_MS = 50
STOP_PAUSE_MAX_MS = 400
TAKE_PAUSE_MAX_MS = 30_000
MISSES_NEEDED = 2
DISAGREEMENTS_WEIGHED = 2
DISAGREEMENTS_TOLD = 4
DISAGREEMENTS_BELIEVED = 6
SETTLE_MS = 200
"""A trade or an acknowledged order may be missing from an answer for so long: reads lag (§3.4)."""


def resolve_orders(turn: Turn, bracket: Bracket) -> Bracket:
    """Ask about every normal order of the bracket that should have told its end by now."""
    for role_ids in bracket.ids.values():
        for client_id in role_ids:
            order = turn.state.orders.get(client_id)
            if order is not None and not order.closed:
                bracket = _resolve_order(turn, bracket, order)
            bracket = _resolve_triggered(turn, bracket, client_id)
    return bracket


def _resolve_order(turn: Turn, bracket: Bracket, order: Order) -> Bracket:
    tries, now = order.tries, turn.now_ms
    if order.status is OrderStatus.PENDING_NEW:
        if tries.next_at_ms is None:
            return bracket  # the answer is on its way; the transport's timeout bounds it
        if now < tries.next_at_ms:
            return turn.wake(bracket, tries.next_at_ms)
        if refuse_late_entry(turn, bracket, order, turn.now_ms):
            return bracket
        return turn.submit(bracket, order.intent)  # proven not executed: a resend was scheduled
    if tries.asking:
        return bracket
    if order.status is OrderStatus.UNRESOLVED:
        due = tries.next_at_ms if tries.next_at_ms is not None else now
        why = "outcome_unknown"
    else:
        known_ms = order.acked_ms or order.updated_ms
        due = tries.next_at_ms if tries.next_at_ms is not None else known_ms + STUCK_MS
        why = "end_not_told"
    if now < due:
        return turn.wake(bracket, due)
    turn.look_up(order, why)
    return bracket


def refuse_late_entry(turn: Turn, bracket: Bracket, order: Order, at_ms: int) -> bool:
    """Give up an entry that is proven not executed, if at that instant it would be too late to send it again.

    Its price was judged when the signal came; nobody looks at it again. So the signal's own limit holds for every
    attempt, and a bound of ours beside it.
    """
    expired = bracket.expires_ms is not None and at_ms > bracket.expires_ms
    if not expired and at_ms <= bracket.received_at_ms + RESEND_WITHIN_MS:
        return False
    text = f"{order.tries.error_text}; {'the signal expired' if expired else 'too late'} before it could be sent again"
    withheld = DenialCode.SIGNAL_EXPIRED.value if expired else ""
    turn.update_order(order, status=OrderStatus.REJECTED, withheld=withheld, error_text=text, next_at_ms=None)
    return True


def _resolve_triggered(turn: Turn, bracket: Bracket, client_id: str) -> Bracket:
    """A triggered algo order became an ordinary one: its fills must become known (failure mode 8)."""
    algo = turn.state.algos.get(client_id)
    if algo is None or not (algo.status in ALGO_TRIGGERED or algo.status is AlgoStatus.FINISHED):
        return bracket
    order = turn.state.orders.get(client_id)
    if order is not None and order.closed and algo.closed:
        return bracket
    if algo.tries.asking:
        return bracket
    due = algo.tries.next_at_ms if algo.tries.next_at_ms is not None else turn.now_ms + ASK_AGAIN_MS
    if turn.now_ms < due:
        if algo.tries.next_at_ms is None:
            turn.update_algo(algo, next_at_ms=due)
        return turn.wake(bracket, due)
    turn.look_up(algo, "triggered_end_not_told")
    return bracket


def refuse_leg(turn: Turn, algo: AlgoOrder, *, barred_ms: int = 0) -> None:
    """A protective order was refused: the same one is sent again after a pause that grows; not while it is barred."""
    refusals = algo.tries.refusals
    pause_max = STOP_PAUSE_MAX_MS if algo.intent.role is Role.STOP_LOSS else TAKE_PAUSE_MAX_MS
    pause = max(barred_ms, min(LEG_PAUSE_MS * 2 ** min(refusals, 12), pause_max))
    turn.update_algo(algo, status=AlgoStatus.REJECTED, next_at_ms=turn.now_ms + pause, refusals=refusals + 1)


def covered_pause_ms(refusals: int) -> int:
    """How much longer than usual a refused stop waits for its next try while another one covers the position."""
    return min(LEG_PAUSE_MS << min(refusals, 12), TAKE_PAUSE_MAX_MS)


def pace(asked: int) -> int:
    """The pause before a question that was answered so often without settling the matter."""
    return min(ASK_AGAIN_MS << min(asked, 10), ASK_SELDOM_MS)


def count_disagreement(turn: Turn, bracket: Bracket) -> Bracket:
    """The exchange's position is looked into once more; what stays unexplained is a person's matter.

    It says the same again and again, our orders have ended and every trade is accounted for: then something changed the
    position that no trade since tells of (one just before the entry, an answer that lagged), and the exchange's word is
    the truth. What differs is others'.
    """
    view = turn.state.positions[position_key(bracket.symbol, bracket.position_side)]
    amount = view.amount
    count = bracket.disagreements + 1 if amount == bracket.disagree_amount else 1
    surplus = bracket.entry_side.sign * (expected_amount(turn.state, bracket) - amount)
    if count >= DISAGREEMENTS_WEIGHED and surplus in _from_before(turn, bracket):
        # Our clock may be off by more than lies between a trade and the question about the position: it was in it.
        turn.announce("traded_before", "what others traded was from before the entry", bracket, amount=str(surplus))
        bracket = turn.wake(bracket, turn.now_ms)  # what is open has changed after it was guarded
        return turn.update(bracket, external_net=bracket.external_net - surplus, early_trades=(), disagreements=0)
    bracket = turn.update(bracket, disagree_amount=amount)
    if count == DISAGREEMENTS_TOLD:
        turn.alert(
            "position_differs",
            f"the exchange's position of {bracket.symbol} is not what our orders and the trades on it explain; "
            "ours is guarded on, look at the account",
            bracket,
        )
    # "Flat", while the ledger is open, is what an answer that is empty by mistake says. If it is true the stop goes,
    # and then the close is refused (`closing`): that is believed.
    explains = amount * bracket.entry_side.sign > 0 or open_quantity(turn.state, bracket) == 0
    recent = turn.now_ms - 2 * ASK_SELDOM_MS < view.known_at_ms <= turn.now_ms
    if count >= DISAGREEMENTS_BELIEVED and explains and recent and _all_over(turn, bracket):
        others = bracket.entry_side.sign * (amount - expected_amount(turn.state, bracket))
        turn.announce("others_share", "what no trade explains is taken for others'", bracket, amount=str(others))
        bracket = turn.wake(turn.update(bracket, external_net=bracket.external_net + others), turn.now_ms)
        count = 0
    return turn.update(bracket, disagreements=count)


def _from_before(turn: Turn, bracket: Bracket) -> list[Decimal]:
    """What of others' trades may have been in the position that was found flat: it was asked for at one instant, so the
    first of them by id, or the first two, and so on; none that came after a trade of the entry."""
    fills = turn.state.orders[bracket.entry_id].fills
    rows = sorted(bracket.early_trades, key=lambda row: row.trade_id)
    earlier = [row.amount for row in rows if not fills or row.trade_id < fills[0].trade_id]
    return list(accumulate(earlier))


def _all_over(turn: Turn, bracket: Bracket) -> bool:
    """Whether every order of ours that could trade has ended, and it is known of every trade since whose it was."""
    newest_ms = newest_fill_known_ms(turn.state, bracket)
    return all(order.closed for order in orders_of(turn.state, bracket)) and bracket.trades_known_ms > newest_ms


def check_stream(turn: Turn, bracket: Bracket) -> tuple[Bracket, bool]:
    """Whether the stream kept silent about something that an answer told (failure mode 7): an order or its end, what it
    traded, or the position that followed from a trade. What happened before it connected was never its business."""
    if not turn.state.stream_up:
        return bracket, False
    silent = False
    for happened_ms in _untold(turn, bracket):
        due = happened_ms + STREAM_SILENCE_MS
        if happened_ms > turn.state.stream_since_ms and turn.now_ms >= due:
            silent = True
        elif happened_ms > turn.state.stream_since_ms:
            bracket = turn.wake(bracket, due)
    return bracket, silent


def _untold(turn: Turn, bracket: Bracket) -> list[int]:
    """When that happened which the stream has yet to tell, on the exchange's clock."""
    ids = [client_id for role_ids in bracket.ids.values() for client_id in role_ids]
    records = [turn.state.orders.get(i) for i in ids] + [turn.state.algos.get(i) for i in ids]
    untold = [record.untold_ms for record in records if record is not None and record.untold_ms is not None]
    view = turn.state.positions.get(position_key(bracket.symbol, bracket.position_side))
    heard_ms = 0 if view is None else view.heard_ms
    traded_ms = max((order.last_fill_ms for order in orders_of(turn.state, bracket)), default=0)
    traded_ms = max(traded_ms, bracket.external_ms)
    if heard_ms < traded_ms - STAMP_SLACK_MS:
        untold.append(traded_ms)
    return untold
