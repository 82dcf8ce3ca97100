"""How hard the property tests look: `quick` by default, HYPOTHESIS_PROFILE=thorough for a long run.

Where a property needs more or fewer examples than others it says so by `examples`, so that a profile scales it too.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_USUAL = 100


def load() -> None:
    """Take the profile that the environment names. A busy machine is no failure, so nothing has a deadline."""
    settings.register_profile("quick", deadline=None, max_examples=_USUAL)
    settings.register_profile("thorough", deadline=None, max_examples=30 * _USUAL, print_blob=True)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def examples(count: int) -> settings:
    """So many examples in the quick profile, and in proportion in others."""
    scaled = max(1, count * settings().max_examples // _USUAL)
    slow = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    return settings(max_examples=scaled, suppress_health_check=slow)
