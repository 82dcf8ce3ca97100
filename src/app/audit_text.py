"""A line of the audit log in words. A view for people: what decides and what proves is the line itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from ..core.audit_chain import AuditLine
from ..core.client_ids import role_of
from ..core.journal import PAYLOADS
from ..core.values import Role

_LENGTH_MAX: Final = 160
_ROLE_NAMES: Final = {
    Role.ENTRY: "entry",
    Role.STOP_LOSS: "stop loss",
    Role.TAKE_PROFIT: "take profit",
    Role.EXIT: "exit",
    Role.FLATTEN: "emergency exit",
}
_STYLES: Final = {
    "alert": "bold red",
    "start_failed": "bold red",
    "start_degraded": "bold red",
    "start_completed": "bold green",
    "internal_error": "bold red",
    "order_rejected": "red",
    "order_unresolved": "yellow",
    "order_withheld": "red",
    "api_error": "yellow",
    "cancel_failed": "yellow",
    "retry_attempt": "yellow",
    "rate_limit": "yellow",
    "stream_lost": "yellow",
    "fill": "green",
    "bracket_reported": "bold green",
    "bracket_ended": "bold green",
    "execution_report": "bold",
    "signal_received": "bold cyan",
    "order_intent": "cyan",
    "cancel_intent": "cyan",
}

Payload = dict[str, Any]


def style_of(line: AuditLine) -> str:
    """The colour of a line's event type: red asks for a look, cyan is what we asked for, the rest is what came."""
    return _STYLES.get(line.event_type, "")


def in_words(line: AuditLine) -> str:
    """What the line says, in a sentence or less; its fields as JSON where we have no words for it."""
    payload = next((line.fields[name] for name in PAYLOADS if name in line.fields), None)
    words = _WORDS.get(line.operation or "")
    text = ""
    if line.record == "checkpoint":
        text = f"continues line {line.seq - 1}" if line.seq > 1 else "the log begins"
    elif words is not None and isinstance(payload, dict):
        try:
            text = words(payload)
        except (KeyError, TypeError, AttributeError):
            text = ""  # written by another version: show what is there
    if not text:
        facts = {name: fact for name, fact in line.fields.items() if fact is not None}
        text = _plain(facts) if facts else ""
    return text if len(text) <= _LENGTH_MAX else text[: _LENGTH_MAX - 1] + "…"


def _plain(facts: Payload) -> str:
    return "  ".join(
        f"{name}={fact if isinstance(fact, (str, int, float)) else msgspec.json.encode(fact).decode()}"
        for name, fact in facts.items()
    )


def _role(client_order_id: str) -> str:
    role = role_of(client_order_id)
    return _ROLE_NAMES[role] if role is not None else client_order_id


def _started(p: Payload) -> str:
    return f"version {p['version']} at {p['venue']}"


def _signal(p: Payload) -> str:
    signal, context = p["signal"], p["context"]
    size = signal.get("quantity") or (f"{signal['notional']} USDT" if signal.get("notional") else "")
    parts = [signal["signal_type"], str(size)]
    parts += [
        f"{name} {signal[key]}"
        for name, key in (("stop", "stop_loss"), ("target", "take_profit"))
        if signal.get(key) is not None
    ]
    if context.get("reference_price") is not None:
        parts.append(f"market {context['reference_price']}")
    if context.get("problem"):
        parts.append(f"({context['problem']})")
    return " ".join(part for part in parts if part)


def _submit(p: Payload) -> str:
    intent = p["intent"]
    size = intent.get("quantity") or ("whole position" if intent.get("close_position") else "")
    trigger = f" at {intent['trigger_price']}" if intent.get("trigger_price") is not None else ""
    again = f", attempt {p['attempt']}" if p.get("attempt", 1) > 1 else ""
    name = _ROLE_NAMES[Role(intent["role"])]
    return f"{name}: {intent['order_type']} {intent['side']} {size}{trigger}{again}"


def _acknowledged(p: Payload) -> str:
    number = p.get("exchange_order_id") or p.get("algo_id")
    return f"{_role(p['client_order_id'])} accepted as {number}: {p['status']}"


def _failed(p: Payload) -> str:
    failure = p["failure"]
    code = f"{failure['code']} " if failure.get("code") is not None else ""
    subject = _role(p["client_order_id"]) if p.get("client_order_id") else p.get("symbol", "")
    return f"{subject} {failure['kind']}: {code}{failure.get('text', '')}".strip()


def _order_update(p: Payload) -> str:
    fill = p.get("fill")
    traded = f" {fill['quantity']} at {fill['price']}," if fill else ""
    return f"{_role(p['client_order_id'])}{traded} {p['status']}, by {p['source']}"


def _algo_update(p: Payload) -> str:
    reason = f" ({p['reason']})" if p.get("reason") else ""
    return f"{_role(p['client_order_id'])} {p['status']}{reason}, by {p['source']}"


def _position(p: Payload) -> str:
    return f"position {p['amount']} at {p['entry_price']}" if float(p["amount"]) else "flat"


def _snapshot(p: Payload) -> str:
    amounts = ", ".join(f"{amount}" for amount in p["amounts"].values()) or "flat"
    return f"asked the exchange: {amounts}, {len(p.get('orders', ()))} orders rest"


def _claimed(p: Payload) -> str:
    return f"{p['amount']} taken over, opened elsewhere at {p['entry_price']}, market {p['reference_price']}"


def _report(p: Payload) -> str:
    report = p["report"]
    reason = report.get("reason")
    return f"{report['status']}: {reason['code']}, {reason['text']}" if reason else str(report["status"])


def _alert(p: Payload) -> str:
    return f"{p['code']}: {p['text']}"


def _announced(p: Payload) -> str:
    facts = p["facts"]
    reason = f" ({facts['reason']})" if facts.get("reason") else ""
    naked = f", unprotected for {facts['naked_worst_ms']} ms" if "naked_worst_ms" in facts else ""
    return f"{p['text']}{reason}{naked}"


_WORDS: Final[dict[str, Callable[[Payload], str]]] = {
    "engine_started": _started,
    "signal_received": _signal,
    "submit_order": _submit,
    "cancel_order": lambda p: f"cancel {_role(p['client_order_id'])}",
    "look_up_order": lambda p: f"ask for {_role(p['client_order_id'])}: {p['why']}",
    "look_up_symbol": lambda p: f"ask for the symbol: {p['why']}",
    "renew_stream": lambda p: str(p["why"]),
    "order_acknowledged": _acknowledged,
    "algo_acknowledged": _acknowledged,
    "submit_failed": _failed,
    "cancel_done": lambda p: f"{_role(p['client_order_id'])} {'was gone' if p.get('gone') else 'cancelled'}",
    "cancel_failed": _failed,
    "look_up_failed": _failed,
    "entry_withheld": lambda p: str(p["text"]),
    "order_updated": _order_update,
    "algo_updated": _algo_update,
    "stop_missed": lambda p: f"the list of open orders lacks the {_role(p['client_order_id'])}",
    "order_not_found": lambda p: f"the exchange does not know the {_role(p['client_order_id'])} (yet)",
    "position_updated": _position,
    "symbol_snapshot": _snapshot,
    "position_claimed": _claimed,
    "stream_connected": lambda _: "user data stream open",
    "stream_lost": lambda p: f"user data stream lost: {p['reason']}",
    "clock_set": lambda p: f"the exchange's clock was measured anew: {p['by_ms']:+} ms",
    "timer_fired": lambda _: "a wake-up came due",
    "conclude": _report,
    "alert": _alert,
    "announce": _announced,
}
