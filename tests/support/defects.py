"""What a log or a notice calls a failure of the manager's own, by the code it has there."""

DEFECTS = frozenset({"internal_error", "callback_failed"})
"""Nothing outside may cause these."""
UNREADABLE = frozenset(
    {"unreadable_payload", "unreadable_answer", "unreadable_event", "unreadable_exchange_info"}
    | {"unknown_event", "unknown_order_status", "unknown_algo_status"}
)
"""Only an exchange that writes nonsense may cause these."""
