"""What the page shows: a small picture of the exchange, in words for people, nothing secret."""

from .. import account_messages
from ..accounts import Account
from ..decimals import plain, trimmed
from ..exchange import Exchange
from ..messages import Row
from ..orders import AlgoOrder, Order

_REQUESTS = 60
_BOOK_LEVELS = 12
_KEY_SHOWN = 6


def view(exchange: Exchange, symbol: str) -> Row:
    """Show everything the page draws; an unknown symbol is refused."""
    venue = exchange.venue
    market = venue.market(symbol)
    accounts = venue.accounts.values()
    return {
        "serverTime": venue.now_ms(),
        "frozen": exchange.clock.is_frozen,
        "profile": exchange.profile.name,
        "seed": exchange.seed,
        "requestCount": exchange.requests.total,
        "prices": {
            name: {"last": plain(market.last), "mark": plain(market.mark)} for name, market in venue.markets.items()
        },
        "book": {
            side: [[plain(price), trimmed(quantity)] for price, quantity in market.depth(taken, _BOOK_LEVELS)]
            for side, taken in (("bids", "BUY"), ("asks", "SELL"))
        },
        "accounts": [_account(exchange, account) for account in accounts],
        "positions": _positions(exchange),
        "orders": [
            *(_order(order) for account in accounts for order in account.orders.open_orders()),
            *(_algo(algo) for account in accounts for algo in account.live_algos()),
        ],
        "requests": exchange.requests.rows()[: -_REQUESTS - 1 : -1],
        "faults": exchange.faults.rows(),
        "notes": exchange.notes,
    }


def _account(exchange: Exchange, account: Account) -> Row:
    margin = exchange.venue.margins.summary(account)
    return {
        "key": account.api_key[:_KEY_SHOWN] + "…",
        "wallet": _money(margin.wallet),
        "available": _money(margin.available),
        "unrealized": _money(margin.unrealized),
        "margin": _money(margin.initial),
        "mode": "hedge" if account.is_hedge_mode else "one-way",
        "streams": exchange.venue.streams.connection_count,
    }


def _money(value: object) -> str:
    return f"{value:.2f}"


def _positions(exchange: Exchange) -> list[Row]:
    venue = exchange.venue
    naked = exchange.naked.report(venue.now_ms())
    return [
        account_messages.position_risk_v3(
            account, leg, venue.instruments[leg.symbol], venue.markets[leg.symbol].mark, venue.margins
        )
        | {"nakedMs": naked.get(leg.symbol, {}).get("now", 0)}
        for account in venue.accounts.values()
        for leg in account.open_positions()
    ]


def _order(order: Order) -> Row:
    return {
        "symbol": order.symbol,
        "side": order.side,
        "type": f"{order.order_type} {order.time_in_force}",
        "quantity": trimmed(order.quantity),
        "price": trimmed(order.price),
        "trigger": "",
        "filled": trimmed(order.executed),
        "closes": "reduces" if order.reduce_only else "",
        "clientId": order.client_order_id,
    }


def _algo(algo: AlgoOrder) -> Row:
    return {
        "symbol": algo.symbol,
        "side": algo.side,
        "type": algo.order_type,
        "quantity": "all" if algo.close_position else trimmed(algo.quantity),
        "price": trimmed(algo.price) if algo.price else "",
        "trigger": trimmed(algo.trigger_price) if algo.trigger_price else f"{trimmed(algo.callback_rate)} %",
        "filled": "",
        "closes": "closes" if algo.close_position else "reduces" if algo.reduce_only else "",
        "clientId": algo.client_algo_id,
    }
