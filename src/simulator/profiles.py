"""What differs between the real venue and its demo platform, and the points nobody has confirmed.

Sources: ``binance-usdm.md §7.1`` and ``§13`` for the profiles, ``§16`` for the open points. Every open point is a named
switch with a default, so that a client can be tried against both readings.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class ReduceOnlyConflict(StrEnum):
    """What a reduce-only order meets when resting ones already use up the position (``§12.3``, open point 11)."""

    REFUSE = "refuse"  # -2022
    REFUSE_4118 = "refuse_4118"
    DISPLACE = "displace"  # the resting orders expire with reason 4


@dataclass(frozen=True, slots=True)
class Profile:
    """One venue: its limits and its stream routing."""

    name: str
    weight_limit_1m: int
    orders_limit_10s: int
    orders_limit_1m: int
    max_open_orders: int
    bitcoin_step_size: str
    bitcoin_take_bound: str
    # Mainnet delivers private events on /private alone; the demo platform on unrouted paths as well (§1.2).
    private_events_on_unrouted_paths: bool
    funding_limit_5m: int = 500


MAINNET = Profile("mainnet", 2400, 300, 1200, 200, "0.001", "0.05", private_events_on_unrouted_paths=False)
DEMO = Profile("demo", 6000, 300, 1200, 10_000, "0.0001", "0.30", private_events_on_unrouted_paths=True)
PROFILES = {profile.name: profile for profile in (MAINNET, DEMO)}


@dataclass(frozen=True, slots=True)
class Switches:
    """The open points of ``binance-usdm.md §16`` that this exchange has to decide."""

    retry_after_header: bool = True  # point 1
    # How many refusals (429) within a minute an address may ignore before it is banned (418): nowhere stated.
    refusals_before_ban: int = 10
    # Order counts on refused orders are "not guaranteed" (§7.2).
    order_headers_on_refusal: bool = False
    recv_window_max_ms: int = 0  # point 2: the largest recvWindow, -1130 beyond; 0: none is known
    accepts_decoded_signatures: bool = False  # point 3: signed before percent-encoding, sent after it
    maintenance_status: int = 503  # HTTP status of -1016: nowhere stated
    ed25519_on_rest: bool = True  # point 4: clients sign REST so, the documents are silent
    status_503_code: int = -1000  # point 5
    close_position_time_in_force: str = "GTE_GTC"  # point 8
    reduce_only_conflict: ReduceOnlyConflict = ReduceOnlyConflict.REFUSE  # point 11
    # §4.6: reduce-only conditional orders with a quantity were seen to be accepted before there is a position; no
    # document promises it. If not: -2022.
    reduce_only_algo_needs_position: bool = False
    # Point 15: the single query answered -2013 for orders that were open, while the lists showed them.
    algo_query_is_blind: bool = False
    leverage_bracket_always_list: bool = False  # point 14: with ``symbol`` documented as an object
    # Whether POST marginType is followed by an ACCOUNT_UPDATE with ``m`` MARGIN_TYPE_CHANGE, which §10.4 only names.
    margin_type_change_is_told: bool = True
    # How long a liquidation takes, with -2023 on new orders meanwhile, and whether it ends waiting conditional orders,
    # which bind no margin: nowhere stated.
    liquidation_lasts_ms: int = 0
    liquidation_ends_algo_orders: bool = False
    countdown_cancels_algos: bool = False  # point 10
    opponent_10_20: bool = True  # point 13: whether these price matches are back; else -5037
    # Point 17: FOK and GTX that cannot be: a refusal that leaves no trace, or an order that ends EXPIRED at once.
    instant_expiry: bool = False
    # Point 18: an id used again finds the newest order, or the oldest.
    client_id_finds_newest: bool = True
    # -4210 and -4211 name a band of trigger prices without its width: mark times and over this.
    trigger_multiplier: Decimal = Decimal(5)
    # Point 16: whether the weight of the WebSocket API is counted apart from that of REST; orders count for both.
    ws_api_weight_is_separate: bool = True
    # How long before the end of a socket ``serverShutdown`` is sent: the event is known, its time is not.
    shutdown_notice_ms: int = 600_000
