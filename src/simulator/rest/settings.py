"""What an account may set: leverage, margin, modes (``binance-usdm.md §3.4, §9.3, §12.1``)."""

from ..account_messages import BalanceChange, wire_number
from ..accounts import Account, MarginMove
from ..decimals import ZERO, decimals_of, plain
from ..errors import Code, refusal
from .reading import read_position_side
from .route import Call, Route, Routes, Security, costs, success

_FLAGS = frozenset({"true", "false"})
_MARGIN_TYPES = frozenset({"ISOLATED", "CROSSED"})
_ADD, _REMOVE = 1, 2
_MONEY_DECIMALS = 8


def _settled_account(call: Call) -> Account:
    """Give the account, unless it is in liquidation (-2023)."""
    if call.account.is_in_liquidation:
        raise refusal(Code.IN_LIQUIDATION)
    return call.account


def set_leverage(call: Call) -> object:
    """Set the leverage of a symbol; the same value again succeeds (``binance-usdm.md §9.5``)."""
    rules = call.venue.rules(call.params.text("symbol"))
    leverage = call.params.integer("leverage")
    if not 1 <= leverage <= rules.leverage_max:
        raise refusal(Code.LEVERAGE_VALUE, leverage)
    account = _settled_account(call)
    settings = account.settings_of(rules.symbol)
    legs = account.legs(rules.symbol)
    if leverage < settings.leverage and account.is_isolated(rules.symbol) and any(leg.amount for leg in legs):
        raise refusal(Code.ISOLATED_LEVERAGE)
    largest = max(call.venue.margins.exposure(account, leg) for leg in legs)
    if largest > rules.notional_max(leverage):
        raise refusal(Code.MAX_POSITION)
    before, settings.leverage = settings.leverage, leverage
    margin = call.venue.margins.summary(account)
    if leverage < before and margin.cross_position_margin + margin.order_margin > margin.cross_balance:
        settings.leverage = before
        raise refusal(Code.LEVERAGE_TOO_LOW)
    if leverage != before:
        call.venue.tell_config(account, {"ac": {"s": rules.symbol, "l": leverage}})
    maximum = plain(rules.notional_max(leverage))
    return {"leverage": leverage, "maxNotionalValue": maximum, "symbol": rules.symbol}


def set_margin_type(call: Call) -> object:
    """Set cross or isolated margin; the same again is -4046."""
    symbol = call.venue.rules(call.params.text("symbol")).symbol
    margin_type = call.params.choice("marginType", _MARGIN_TYPES, Code.PARAMETER_VALUE)
    account = _settled_account(call)
    settings = account.settings_of(symbol)
    if settings.margin_type == margin_type:
        raise refusal(Code.MARGIN_TYPE_UNCHANGED)
    if account.is_multi_assets:
        raise refusal(Code.ISOLATED_IN_MULTI_ASSETS)
    if account.orders.open_orders(symbol):
        raise refusal(Code.MARGIN_TYPE_OPEN_ORDERS)
    if any(leg.amount for leg in account.legs(symbol)):
        raise refusal(Code.MARGIN_TYPE_POSITION)
    settings.margin_type = margin_type
    if call.venue.switches.margin_type_change_is_told:
        for leg in account.legs(symbol):
            call.venue.tell_account(account, leg, BalanceChange("MARGIN_TYPE_CHANGE"))
    return success()


def move_margin(call: Call) -> object:
    """Add margin to an isolated leg (type 1) or take some out (type 2)."""
    params = call.params
    symbol = call.venue.rules(params.text("symbol")).symbol
    amount, move_type = params.number("amount"), params.integer("type")
    if move_type not in {_ADD, _REMOVE}:
        raise refusal(Code.PARAMETER_VALUE, "type")
    account = _settled_account(call)
    position_side = read_position_side(params)
    if (position_side != "BOTH") is not account.is_hedge_mode:
        raise refusal(Code.POSITION_SIDE_MISMATCH)
    if decimals_of(amount) > _MONEY_DECIMALS:
        raise refusal(Code.PRECISION)
    if amount <= ZERO:
        raise refusal(Code.MARGIN_AMOUNT)
    if not account.is_isolated(symbol):
        raise refusal(Code.MARGIN_NOT_ISOLATED)
    leg = account.position(symbol, position_side)
    if not leg.amount:
        raise refusal(Code.MARGIN_NO_POSITION)
    margins = call.venue.margins
    if move_type == _ADD and amount > margins.summary(account).available:
        raise refusal(Code.CROSS_BALANCE)
    if move_type == _REMOVE and amount > margins.removable(account, leg):
        raise refusal(Code.ISOLATED_BALANCE)
    leg.isolated_wallet += amount if move_type == _ADD else -amount
    now_ms = call.venue.now_ms()
    account.updated_ms = leg.updated_ms = now_ms
    account.margin_moves.append(MarginMove(symbol, position_side, move_type, amount, now_ms))
    call.venue.tell_account(account, leg, BalanceChange("MARGIN_TRANSFER"))
    return {
        "amount": wire_number(amount),
        "code": 200,
        "msg": "Successfully modify position margin.",
        "type": move_type,
    }


def position_mode(call: Call) -> object:
    """Show the position mode."""
    return {"dualSidePosition": call.account.is_hedge_mode}


def set_position_mode(call: Call) -> object:
    """Switch the position mode; the same again is -4059."""
    wanted = call.params.choice("dualSidePosition", _FLAGS, Code.PARAMETER_VALUE) == "true"
    account = _settled_account(call)
    if wanted is account.is_hedge_mode:
        raise refusal(Code.POSITION_MODE_UNCHANGED)
    if account.orders.open_orders() or account.live_algos():
        raise refusal(Code.POSITION_MODE_OPEN_ORDERS)
    if account.open_positions():
        raise refusal(Code.POSITION_MODE_POSITION)
    account.is_hedge_mode = wanted
    return success()


def multi_assets(call: Call) -> object:
    """Show the multi-assets mode."""
    return {"multiAssetsMargin": call.account.is_multi_assets}


def set_multi_assets(call: Call) -> object:
    """Switch the multi-assets mode; the same again is -4171, and isolated symbols, orders or debts stand in the way."""
    wanted = call.params.choice("multiAssetsMargin", _FLAGS, Code.PARAMETER_VALUE) == "true"
    account = _settled_account(call)
    if wanted is account.is_multi_assets:
        raise refusal(Code.MULTI_ASSETS_UNCHANGED)
    if any(settings.margin_type == "ISOLATED" for settings in account.settings.values()):
        raise refusal(Code.MULTI_ASSETS_ISOLATED_SYMBOL)
    if account.orders.open_orders():
        raise refusal(Code.MULTI_ASSETS_OPEN_ORDERS)
    margin = call.venue.margins.summary(account)
    if margin.wallet < ZERO:
        raise refusal(Code.MULTI_ASSETS_BALANCE)
    if margin.initial > margin.balance:
        raise refusal(Code.MULTI_ASSETS_MARGIN)
    account.is_multi_assets = wanted
    call.venue.tell_config(account, {"ai": {"j": wanted}})
    return success()


def fee_burn(call: Call) -> object:
    """Show whether fees are to be paid in BNB."""
    return {"feeBurn": call.account.burns_fees}


def set_fee_burn(call: Call) -> object:
    """Choose whether fees are to be paid in BNB. There is no BNB wallet here, so they stay in USDT."""
    call.account.burns_fees = call.params.choice("feeBurn", _FLAGS, Code.PARAMETER_VALUE) == "true"
    return success()


ROUTES: Routes = {
    ("POST", "/fapi/v1/leverage"): Route(set_leverage, Security.SIGNED, costs(1)),
    ("POST", "/fapi/v1/marginType"): Route(set_margin_type, Security.SIGNED, costs(1)),
    ("POST", "/fapi/v1/positionMargin"): Route(move_margin, Security.SIGNED, costs(1)),
    ("GET", "/fapi/v1/positionSide/dual"): Route(position_mode, Security.SIGNED, costs(30)),
    ("POST", "/fapi/v1/positionSide/dual"): Route(set_position_mode, Security.SIGNED, costs(1)),
    ("GET", "/fapi/v1/multiAssetsMargin"): Route(multi_assets, Security.SIGNED, costs(30)),
    ("POST", "/fapi/v1/multiAssetsMargin"): Route(set_multi_assets, Security.SIGNED, costs(1)),
    ("GET", "/fapi/v1/feeBurn"): Route(fee_burn, Security.SIGNED, costs(30)),
    ("POST", "/fapi/v1/feeBurn"): Route(set_fee_burn, Security.SIGNED, costs(1)),
}
