"""What must hold for an account whatever it does and whatever the market does."""

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bracketeer.simulator.accounts import DEFAULT_BALANCE, Account
from bracketeer.simulator.ledger import history
from bracketeer.simulator.liquidation import groups
from bracketeer.simulator.margin import Margin, MarginBook
from tests.support.profiles import examples
from tests.unit.simulator.desk import Desk

SYMBOLS = {"BTCUSDT": ("0.001", 60000, 1), "ETHUSDT": ("0.001", 3000, 2)}


@dataclass(frozen=True)
class Step:
    """One thing that happens; ``size`` is a share of something, in percent."""

    kind: str
    symbol: str
    is_buy: bool
    size: int
    is_short_leg: bool


STEPS = st.lists(
    st.builds(
        Step,
        kind=st.sampled_from(
            ["market", "market", "limit", "close", "price", "price", "gap", "funding", "margin", "transfer", "adl"]
        ),
        symbol=st.sampled_from(sorted(SYMBOLS)),
        is_buy=st.booleans(),
        size=st.integers(1, 100),
        is_short_leg=st.booleans(),
    ),
    min_size=1,
    max_size=25,
)
MODES = st.fixed_dictionaries(
    {
        "isolated": st.sets(st.sampled_from(sorted(SYMBOLS))),
        "hedge": st.booleans(),
        "leverage": st.sampled_from([5, 75]),
    }
)


def set_up(isolated: set[str], *, hedge: bool, leverage: int) -> Desk:
    """A desk in a mode."""
    desk = Desk()
    if hedge:
        desk.send("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    for symbol in SYMBOLS:
        desk.send("POST", "/fapi/v1/leverage", symbol=symbol, leverage=leverage)
        if symbol in isolated:
            desk.send("POST", "/fapi/v1/marginType", symbol=symbol, marginType="ISOLATED")
    return desk


def perform(desk: Desk, step: Step) -> None:
    """Do it; what the exchange refuses, it refuses."""
    account = desk.exchange.account
    unit, usual, decimals = SYMBOLS[step.symbol]
    market = desk.exchange.venue.markets[step.symbol]
    side = "BUY" if step.is_buy else "SELL"
    leg_side = ("SHORT" if step.is_short_leg else "LONG") if account.is_hedge_mode else "BOTH"
    more = {"symbol": step.symbol, **({} if leg_side == "BOTH" else {"positionSide": leg_side})}
    value = Decimal(step.size * step.size * 6)  # in USDT, up to six times the balance
    quantity = str(max(Decimal(unit), (value / usual).quantize(Decimal(unit))))
    change = Decimal(step.size) / (1000 if step.kind == "price" else 250)
    price = (market.last * (1 + change if step.is_buy else 1 - change)).quantize(Decimal(1).scaleb(-decimals))
    match step.kind:
        case "market":
            desk.market(side, quantity, **more)
        case "limit":
            desk.limit(side, quantity, str(price), **more)
        case "close":
            leg = account.position(step.symbol, leg_side)
            closing = "SELL" if leg.amount > 0 else "BUY"
            desk.market(closing, str(abs(leg.amount) or unit), **more)
        case "price" | "gap":
            if usual / 3 < price < usual * 3:
                desk.price(str(price), symbol=step.symbol)
        case "funding":
            rate = Decimal(step.size if step.is_buy else -step.size) / 10000
            desk.exchange.venue.data.funding_rates[step.symbol] = rate
            desk.exchange.settle_funding()
        case "margin":
            move = 1 if step.is_buy else 2
            desk.send("POST", "/fapi/v1/positionMargin", amount=str(step.size), type=move, **more)
        case "transfer":
            amount = Decimal(step.size) * (1 if step.is_buy else -1)
            if -amount <= desk.exchange.venue.margins.summary(account).withdrawable:
                account.record("", "TRANSFER", amount, desk.now_ms)
        case _:
            if account.position(step.symbol, leg_side).amount:
                desk.exchange.risk.deleverage(account, step.symbol, leg_side, Decimal(quantity), None)


def check_sums(account: Account, margins: MarginBook) -> None:
    """The summary is the sum of the legs, each computed afresh."""
    account.leg_margins.clear()
    legs = [(leg, margins.leg(account, leg)) for leg in account.live_legs()]
    margin: Margin = margins.summary(account)
    assert margin.unrealized == sum(figures.unrealized for _, figures in legs)
    assert margin.position_margin == sum(figures.position_margin for _, figures in legs)
    assert margin.order_margin == sum(figures.order_margin for _, figures in legs)
    assert margin.maintenance == sum(figures.maintenance for _, figures in legs)
    assert margin.cross_wallet + margin.isolated_wallet == margin.wallet == account.wallet


@examples(60)
@given(steps=STEPS, mode=MODES)
def test_money_is_conserved_and_risk_is_contained(steps: list[Step], mode: dict[str, object]) -> None:
    """After every step: the wallet is the sum of its income to the last digit, the margin summary that of its legs.

    No group of legs stands below its maintenance margin, and no flat or lost leg keeps a wallet.
    """
    desk = set_up(**mode)  # type: ignore[arg-type]
    account, margins = desk.exchange.account, desk.exchange.venue.margins
    for step in steps:
        perform(desk, step)
        income = sum((entry.amount for entry in history(account.fills, account.ledger)), Decimal(0))
        assert account.wallet - DEFAULT_BALANCE == income
        check_sums(account, margins)
        assert not [group for group in groups(account, margins) if group.is_lost]
        for leg in account.positions.values():
            assert leg.isolated_wallet == 0 or (leg.amount and leg.isolated_wallet > 0)
            assert leg.isolated_wallet == 0 or account.is_isolated(leg.symbol)
        assert not account.shortages
        if not account.open_positions():
            assert account.wallet >= 0


@examples(60)
@given(
    trades=st.lists(st.tuples(st.sampled_from(sorted(SYMBOLS)), st.booleans(), st.integers(1, 40)), max_size=5),
    moves=st.lists(st.tuples(st.sampled_from(sorted(SYMBOLS)), st.integers(-60, 60)), max_size=6),
    leverage=st.sampled_from([2, 10, 50]),
)
def test_an_isolated_loss_never_reaches_the_cross_wallet(
    trades: list[tuple[str, bool, int]], moves: list[tuple[str, int]], leverage: int
) -> None:
    """Whatever prices do, the cross wallet does not shrink: the leg, then the insurance fund, bears it."""
    desk = set_up(set(SYMBOLS), hedge=False, leverage=leverage)
    account = desk.exchange.account
    for symbol, is_buy, size in trades:
        quantity = Decimal(size) * 60000 / SYMBOLS[symbol][1] / 1000
        desk.market("BUY" if is_buy else "SELL", str(quantity.quantize(Decimal("0.001"))), symbol=symbol)
    for symbol, percent in moves:
        before = account.wallet - account.isolated_wallets()
        last = desk.exchange.venue.markets[symbol].last
        step = Decimal(1).scaleb(-SYMBOLS[symbol][2])
        desk.price(str((last * (100 + percent) / 100).quantize(step)), symbol=symbol)
        assert account.wallet - account.isolated_wallets() >= before


@examples(60)
@given(
    is_buy=st.booleans(), size=st.integers(10, 150), leverage=st.sampled_from([20, 50, 125]), isolated=st.booleans(),
    other=st.integers(-20, 20),
)  # fmt: skip
def test_the_liquidation_price_is_where_it_ends(
    *, is_buy: bool, size: int, leverage: int, isolated: bool, other: int
) -> None:
    """A tick before the price that positionRisk tells, the leg stands; a tick behind, it is gone, with its orders."""
    desk = set_up({"BTCUSDT"} if isolated else set(), hedge=False, leverage=20)
    if other:
        desk.market("BUY" if other > 0 else "SELL", str(abs(other)), symbol="ETHUSDT")
    desk.send("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=leverage)
    desk.market("BUY" if is_buy else "SELL", str(Decimal(size) / 100))
    account, margins = desk.exchange.account, desk.exchange.venue.margins
    leg = account.position("BTCUSDT", "BOTH")
    price = margins.liquidation_price(account, leg)
    if not leg.amount or not Decimal(20000) < price < Decimal(150000):
        return
    tick = Decimal("0.2") if is_buy else Decimal("-0.2")
    desk.price(str((price + tick).quantize(Decimal("0.1"))))
    assert leg.amount
    desk.limit(
        "BUY" if is_buy else "SELL",
        "0.002",
        str((price * (Decimal("0.98") if is_buy else Decimal("1.02"))).quantize(Decimal("0.1"))),
    )
    desk.price(str((price - tick).quantize(Decimal("0.1"))))
    assert not leg.amount
    assert not account.orders.open_orders("BTCUSDT")
    assert [one.symbol for one in account.open_positions()] == (["ETHUSDT"] if other and isolated else [])
