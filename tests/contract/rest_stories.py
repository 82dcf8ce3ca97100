"""The stories in which the simulated exchange answers over REST: what happens first, and what is then asked.

Each gives the parameters of the request whose answer is compared; method and path are those of the recorded one.
"""

from __future__ import annotations

from collections.abc import Callable

from .scene import Params, Scene

Story = Callable[[Scene], Params]
Stories = dict[str, Story] | tuple[Story, ...]


def nothing(_scene: Scene) -> Params:
    """A fresh account."""
    return {}


def symbol(scene: Scene) -> Params:
    """A fresh account, asked about one symbol."""
    return {"symbol": scene.terms.symbol}


def positioned(scene: Scene) -> Params:
    """A position, and an order beside it."""
    scene.buy()
    scene.rest()
    return symbol(scene)


def traded(scene: Scene) -> Params:
    """A position opened and closed."""
    scene.buy()
    scene.sell()
    return symbol(scene)


def new_limit(scene: Scene) -> Params:
    """An order that will wait."""
    terms = scene.terms
    price: Params = {"price": terms.below, "timeInForce": "GTC"}
    return {"symbol": terms.symbol, "side": "BUY", "type": "LIMIT", "quantity": terms.quantity, **price}


def new_market(scene: Scene) -> Params:
    """An order that fills at once and says so."""
    terms, result = scene.terms, {"newOrderRespType": "RESULT"}
    return {"symbol": terms.symbol, "side": "BUY", "type": "MARKET", "quantity": terms.quantity, **result}


def resting(scene: Scene) -> Params:
    """An order that waits."""
    return {**symbol(scene), "orderId": scene.rest()["orderId"]}


def filled(scene: Scene) -> Params:
    """An order that has filled."""
    return {**symbol(scene), "orderId": scene.buy()["orderId"]}


def canceled(scene: Scene) -> Params:
    """An order that was cancelled, asked for by its client id."""
    order = scene.rest()
    scene.cancel(order)
    return {**symbol(scene), "origClientOrderId": order["clientOrderId"]}


def triggered(scene: Scene) -> Params:
    """The order that a conditional one became."""
    return {**symbol(scene), "origClientOrderId": scene.stopped_out()["clientAlgoId"]}


def every_order(scene: Scene) -> Params:
    """An order of every fate."""
    canceled(scene)
    scene.stopped_out()
    scene.rest()
    return symbol(scene)


def new_algo(order_type: str, **more: str) -> Story:
    """Give the story of a conditional order that is placed beside a position."""

    def story(scene: Scene) -> Params:
        scene.buy()
        terms = scene.terms
        figures = {name: getattr(terms, value) for name, value in more.items() if hasattr(terms, value)}
        fixed: Params = {"algoType": "CONDITIONAL", "symbol": terms.symbol, "side": "SELL", "type": order_type}
        return fixed | more | figures

    return story


NEW_STOP = new_algo("STOP_MARKET", triggerPrice="stop", closePosition="true")
NEW_TARGET = new_algo("TAKE_PROFIT_MARKET", triggerPrice="target", quantity="quantity", reduceOnly="true")
NEW_LIMIT = new_algo("TAKE_PROFIT", triggerPrice="target", price="target", quantity="quantity")
NEW_TRAILING = new_algo("TRAILING_STOP_MARKET", activatePrice="target", callbackRate="1.5", quantity="quantity")


def waiting_algo(scene: Scene) -> Params:
    """A conditional order that waits."""
    scene.buy()
    return {"algoId": scene.stop_loss()["algoId"]}


def canceled_algo(scene: Scene) -> Params:
    """A conditional order that was cancelled."""
    algo = scene.take_profit_limit()
    scene.cancel_algo(algo)
    return {"algoId": algo["algoId"]}


def finished_algo(scene: Scene) -> Params:
    """A conditional order that fired, asked for by its client id."""
    return {"clientAlgoId": scene.stopped_out()["clientAlgoId"]}


def waiting_algos(scene: Scene) -> Params:
    """Conditional orders of several types that wait."""
    scene.buy()
    scene.stop_loss()
    scene.take_profit_limit()
    return symbol(scene)


def trailing_algo(scene: Scene) -> Params:
    """A trailing order that waits."""
    scene.buy()
    scene.trailing_stop()
    return symbol(scene)


def every_algo(scene: Scene) -> Params:
    """A conditional order of every fate: fired, expired with the position, cancelled, waiting."""
    scene.stopped_out()
    canceled_algo(scene)
    return waiting_algos(scene)


def in_hedge_mode(scene: Scene) -> Params:
    """Both legs of a symbol held."""
    scene.ask("POST", "/fapi/v1/positionSide/dual", {"dualSidePosition": "true"})
    scene.order("BUY", "MARKET", positionSide="LONG")
    scene.order("SELL", "MARKET", positionSide="SHORT")
    return symbol(scene)


def listening(scene: Scene) -> Params:
    """A listen key in use."""
    scene.listen()
    return {}


ORDER_STORIES = (resting, filled, canceled, triggered)
ALGO_STORIES = (waiting_algo, canceled_algo, finished_algo)
POSITION_STORIES = (positioned, traded, in_hedge_mode)

STORIES: dict[str, Stories] = {
    "time": (nothing,),
    "exchangeInfo": (nothing,),
    "premiumIndex": (symbol,),
    "ticker_price": (symbol,),
    "ticker_bookTicker": (symbol,),
    "depth": (symbol,),
    "order_post": (new_limit, new_market),
    "order_get": ORDER_STORIES,
    "order_delete": (resting,),
    "openOrder": (resting,),
    "openOrders": (positioned,),
    "allOrders": (every_order,),
    "userTrades": (traded,),
    "allOpenOrders_delete": (positioned, symbol),
    "algoOrder_post": {"stop": NEW_STOP, "target": NEW_TARGET, "limit": NEW_LIMIT, "trailing": NEW_TRAILING},
    "algoOrder_get": ALGO_STORIES,
    "algoOrder_delete": (waiting_algo,),
    "openAlgoOrders": (waiting_algos, trailing_algo),
    "allAlgoOrders": (waiting_algos, every_algo),
    "algoOpenOrders_delete": (waiting_algos, symbol),
    "leverage": {"higher": lambda scene: {**symbol(scene), "leverage": 25}},
    "marginType": {"isolated": lambda scene: {**symbol(scene), "marginType": "ISOLATED"}},
    "symbolConfig": (nothing, symbol),
    "accountConfig": (nothing,),
    "positionSide_dual": (nothing,),
    "positionSide_dual_post": {"hedge": lambda _scene: {"dualSidePosition": "true"}},
    "multiAssetsMargin": (nothing,),
    "multiAssetsMargin_post": {"on": lambda _scene: {"multiAssetsMargin": "true"}},
    "positionRisk_v2": POSITION_STORIES,
    "positionRisk_v3": (positioned, in_hedge_mode),
    "account_v2": POSITION_STORIES,
    "account_v3": (positioned, in_hedge_mode),
    "balance_v2": (nothing, positioned),
    "balance_v3": (nothing, positioned),
    "commissionRate": (symbol,),
    "rateLimit_order": (nothing,),
    "listenKey_post": (nothing,),
    "listenKey_put": (listening,),
}
"""Per kind of answer, the stories it is compared in."""

UNSIGNED = {
    "time", "exchangeInfo", "premiumIndex", "ticker_price", "ticker_bookTicker", "depth", "listenKey_post",
    "listenKey_put",
}  # fmt: skip
