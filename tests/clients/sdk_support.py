"""The official SDK, configured as a user would to trade on the simulator."""

from typing import Any

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures
from Crypto.PublicKey import ECC

from bracketeer.simulator import RunningSimulator

SYMBOL: dict[str, Any] = {"symbol": "BTCUSDT"}
LIMIT: dict[str, Any] = {
    **SYMBOL,
    "side": "BUY",
    "type": "LIMIT",
    "quantity": 0.01,
    "price": 59000,
    "time_in_force": "GTC",
}
STOP: dict[str, Any] = {**SYMBOL, "algo_type": "CONDITIONAL", "side": "SELL"}
EXIT: dict[str, Any] = {"quantity": 0.01, "reduce_only": "true"}
PRIVATE_KEY = ECC.construct(curve="Ed25519", seed=bytes(range(32)))


def sdk(sim: RunningSimulator) -> Any:
    """Configure the SDK as a user would; a loaded test machine may take longer than its second of patience."""
    keys: dict[str, Any] = {"api_key": sim.api_key, "api_secret": sim.api_secret}
    return DerivativesTradingUsdsFutures(
        ConfigurationRestAPI(**keys, base_path=sim.rest_url, timeout=10_000, retries=0),
        ConfigurationWebSocketAPI(**keys, stream_url=sim.ws_api_url),
        ConfigurationWebSocketStreams(stream_url=sim.stream_url),
    )


def register(sim: RunningSimulator) -> None:
    """Register the public key."""
    sim.set_account(ed25519PublicKey=PRIVATE_KEY.public_key().export_key(format="PEM"))
