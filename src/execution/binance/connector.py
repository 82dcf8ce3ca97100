"""The library that talks to the exchange, and its namesake."""

from __future__ import annotations

import importlib

from ..errors import ConfigurationError


def require_connector() -> None:
    """Check that `binance` is the package of `binance-futures-connector`.

    `python-binance` installs a package of the same name; whichever came last overwrote the other (binance-usdm.md
    §15.2).

    Raises:
        ConfigurationError: it is not, or nothing is installed.
    """
    try:
        importlib.import_module("binance.um_futures")
    except ImportError:
        pass
    else:
        return
    try:
        importlib.import_module("binance")
    except ImportError:
        raise ConfigurationError(
            "binance-futures-connector is not installed: run pip install -r requirements.txt",
            code="connector_missing",
        ) from None
    raise ConfigurationError(
        "the installed package 'binance' is not binance-futures-connector: probably python-binance, which has "
        "the same name. Run: pip uninstall -y python-binance binance-futures-connector, "
        "then: pip install -r requirements.txt",
        code="wrong_binance_package",
    )
