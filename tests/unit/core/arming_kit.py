"""Stories with ARM=with_entry up to where they become interesting."""

from __future__ import annotations

from bracketeer.core.commands import AnyCommand, CancelOrder
from bracketeer.core.settings import Policy
from bracketeer.core.values import AlgoStatus, ArmingMode, OrderStatus
from tests.support.stories import E0, P0, S0, Story


def sent(take_profit: str | None = "") -> Story:
    """A signal has come; nothing is answered yet."""
    story = Story(Policy(arm=ArmingMode.WITH_ENTRY))
    story.signal(take_profit=take_profit)
    return story


def armed() -> Story:
    """Stop and target rest, the entry is at work."""
    story = sent()
    for leg in (S0, P0):
        rest(story, leg)
    story.now += 20
    return story


def rest(story: Story, leg: str) -> list[AnyCommand]:
    """A conditional order is accepted, by answer and by stream."""
    commands = story.ack_algo(leg)
    return commands + story.algo_told(leg, AlgoStatus.NEW)


def filled(story: Story, quantity: str = "1") -> list[AnyCommand]:
    """The entry is filled, by stream and by answer."""
    commands = story.fill(E0, quantity) + story.position(quantity)
    return commands + story.ack(E0, executed=quantity, status=OrderStatus.FILLED)


def cancels(commands: list[AnyCommand]) -> list[str]:
    """The client ids of what is to be cancelled."""
    return [command.client_order_id for command in commands if isinstance(command, CancelOrder)]
