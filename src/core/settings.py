"""Frozen settings. Nothing here reads the environment: `execution/settings_loader` does."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from .values import ArmingMode, WorkingType


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine decides with. It is journaled at every start, so a replay decides the same.

    All lengths are in milliseconds.
    """

    require_stop_loss: bool = True
    working_type: WorkingType = WorkingType.CONTRACT_PRICE
    arm: ArmingMode = ArmingMode.WITH_ENTRY
    on_same_side: Literal["reject"] = "reject"
    on_opposite: Literal["reject"] = "reject"
    naked_limit_ms: int = 2000
    recv_window_ms: int = 2000
    clock_margin_ms: int = 500
    report_timeout_ms: int = 30_000
    poll_interval_ms: int = 1000  # how often a symbol is looked up while the stream is down or silent
    poll_idle_interval_ms: int = 30_000  # how often it is looked up anyway
    signal_ttl_ms: int | None = None  # for signals that carry a timestamp but no ttl of their own
    external_position_claims: tuple[str, ...] = ()  # symbols whose positions are taken over, whoever opened them
    claim_stop_distance_pct: Decimal | None = None  # where their stop goes, in percent of the price

    def __post_init__(self) -> None:
        """A claimed position without a stop would be no claim.

        Raises:
            ValueError: `external_position_claims` without `claim_stop_distance_pct`, or that is not in (0, 100).
        """
        distance = self.claim_stop_distance_pct
        if distance is not None and not 0 < distance < 100:
            raise ValueError("claim_stop_distance_pct must be above 0 and below 100")
        if distance is None and self.external_position_claims:
            raise ValueError("external_position_claims need claim_stop_distance_pct")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an operator can turn, with the defaults a cautious one would choose."""

    policy: Policy = Policy()
    audit_log_dir: str = "logs/audit"
    audit_fsync: Literal["intent", "always", "never"] = "intent"
    audit_max_bytes: int = 64 * 1024 * 1024
    audit_adopt: bool = False  # take over what the log has open although another key or address began it
    exchange_info_cache_hours: float = 24
    rate_limit_warning_threshold: float = 0.8
    rate_limit_hard_threshold: float = 0.9
    connect_timeout_ms: int = 1000
    read_timeout_ms: int = 1000
    user_stream: bool = True
    stop_watch_interval_ms: int = 1000  # how often live stops are asked for, stream or not; 0: never
