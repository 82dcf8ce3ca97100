"""How to run the simulated exchange."""

from dataclasses import dataclass, field

from .profiles import PROFILES, Switches
from .switching import read_pairs, turned


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """How to run the simulated exchange; times in milliseconds, ``speed`` scales the price path alone."""

    port: int = 0
    host: str = "127.0.0.1"
    seed: int = 1
    api_key: str | None = None
    api_secret: str | None = field(default=None, repr=False)
    profile: str = "mainnet"
    prices: str = "walk"
    speed: float = 1.0
    latency_ms: int = 0
    switches: tuple[str, ...] = ()  # NAME=VALUE of ``profiles.Switches``
    script: tuple[str, ...] = ()  # the lines of a story, see ``script``

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ValueError(f"profile must be one of {', '.join(PROFILES)}")
        if not self.speed > 0:
            raise ValueError("speed must be above zero")
        if self.latency_ms < 0:
            raise ValueError("latency_ms must not be negative")
        turned(Switches(), read_pairs(self.switches))
