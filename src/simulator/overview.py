"""What there is to see of an exchange: everything worth asserting, and nothing secret."""

from . import account_messages, algo_messages, messages
from .decimals import plain
from .exchange import Exchange
from .messages import Row


def state(exchange: Exchange) -> Row:
    """Show everything worth asserting, in the exchange's own field names; nothing secret."""
    venue, account = exchange.venue, exchange.account
    margin = venue.margins.summary(account)
    return {
        "serverTime": venue.now_ms(),
        "prices": {symbol: plain(market.last) for symbol, market in venue.markets.items()},
        "positions": [
            account_messages.position_risk_v3(
                account, leg, venue.instruments[leg.symbol], venue.markets[leg.symbol].mark, venue.margins
            )
            for leg in account.open_positions()
        ],
        "openOrders": [
            messages.order_row(venue.instruments[order.symbol], order) for order in account.orders.open_orders()
        ],
        "openAlgoOrders": [
            algo_messages.open_algo_row(venue.instruments[algo.symbol], algo) for algo in account.live_algos()
        ],
        "trades": [messages.trade_row(fill) for fill in account.fills],
        "balances": [account_messages.balance_row(account, margin)],
        "requests": exchange.requests.rows(),
        "nakedMs": exchange.naked.report(venue.now_ms()),
        "history": {
            "requests": exchange.requests.total,
            "orders": len(account.orders.by_id),
            "algoOrders": len(account.algo_orders),
            "trades": len(account.fills),
        },
    }
