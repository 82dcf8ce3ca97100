"""A simulated Binance USDⓈ-M Futures exchange: faithful, deterministic, and able to fail on purpose.

It shares no code with the manager: each side has its own reading of the wire, so a misreading shows. From the inside
out:

- nouns: ``instruments`` (rules), ``orders``, ``positions``, ``accounts``, ``markets`` (prices, ladder, queues),
  ``profiles``
- money: ``margin`` and ``brackets`` (what is bound), ``ledger`` (income), ``funding``, ``risk`` (margin calls) with
  ``liquidation`` and ``forced`` (orders nobody sent)
- decisions: ``filters`` and ``admission`` (may it enter?), ``matching`` (what does it get?), ``trading`` (book it),
  ``algo`` (conditional orders), ``naked`` (unprotected time), ``limits``, ``auth``
- the wire: ``rest/`` (endpoints), ``messages`` and ``account_messages`` (what they say), ``streams`` (who hears it),
  ``errors``, ``params``
- the whole: ``venue`` (all state), ``exchange.Exchange`` (in process, no I/O, no clock of its own), ``faults``,
  ``records``, ``control`` (``/sim/…``), ``prices`` (what the market does)
- sockets: ``asgi``, ``hosting``, ``running`` (in a thread), ``server`` (as a process), ``config``
"""

from .exchange import Exchange
from .server import RunningSimulator, SimulatorConfig, run, start_in_thread

__all__ = ["Exchange", "RunningSimulator", "SimulatorConfig", "run", "start_in_thread"]
