"""Hypothesis profiles: deterministic and quick by default, ``--hypothesis-profile=thorough``."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fast",
    derandomize=True,
    deadline=None,
    max_examples=25,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough",
    parent=settings.get_profile("fast"),
    derandomize=False,
    max_examples=500,
)
settings.load_profile("fast")
