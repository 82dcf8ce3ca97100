"""What the exchange answers, and what the socket server has to do to it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer to one REST request."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    is_dropped: bool = False  # abort the connection instead of answering
    delay_ms: int = 0
