"""Controls over an account's money: funding rates and hours, deposits and withdrawals (``POST /sim/<name>``)."""

from .account_messages import BalanceChange
from .decimals import ZERO, money, padded, plain
from .exchange import Exchange
from .fault_reading import BadRequestError, Body, read_number
from .messages import Row


def set_funding(exchange: Exchange, body: Body) -> Row:
    """Set the next funding ``rate`` of a ``symbol``; ``settle`` true lets the hour strike now."""
    venue = exchange.venue
    if "symbol" in body:
        symbol = venue.rules(str(body["symbol"])).symbol
        venue.data.funding_rates[symbol] = read_number(body, "rate")
    if body.get("settle") in {True, "true"}:
        exchange.settle_funding()
    return {"rates": {symbol: padded(rate, 8) for symbol, rate in sorted(venue.data.funding_rates.items())}}


def delist(exchange: Exchange, body: Body) -> Row:
    """End the contract of a ``symbol``."""
    exchange.delist(str(body.get("symbol")))
    return {}


def transfer(exchange: Exchange, body: Body) -> Row:
    """Move money into the wallet, or out of it with a negative ``amount``."""
    account, venue = exchange.account, exchange.venue
    amount = money(read_number(body, "amount"))
    if -amount > venue.margins.summary(account).withdrawable:
        raise BadRequestError("no more can leave than maxWithdrawAmount")
    account.record("", "TRANSFER", amount, venue.now_ms())
    venue.tell_account(account, None, BalanceChange("DEPOSIT" if amount > ZERO else "WITHDRAW", amount))
    return {"balance": plain(account.wallet)}
