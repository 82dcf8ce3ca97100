"""A simulated Binance USDⓈ-M Futures exchange: faithful, deterministic, and able to fail on purpose.

``exchange.Exchange`` is the exchange itself, in process and without I/O; ``server`` puts it behind real sockets. It
shares no code with the manager: each side has its own reading of the wire, so a misreading shows.
"""

from .exchange import Exchange
from .server import RunningSimulator, SimulatorConfig, run, start_in_thread

__all__ = ["Exchange", "RunningSimulator", "SimulatorConfig", "run", "start_in_thread"]
