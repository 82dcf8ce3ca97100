"""The deterministic simulation: the real manager, the simulated exchange, one thread, one seed, virtual time.

`make simulate` plays random stories, `make simulate SEED=7` one of them with a readable trace, `make simulate
ONLY=name` a named one. `.taskmaster/designs/013-deterministic-simulation.md` says how it works and why so.
"""
