"""Hypothesis, as this folder uses it."""

from __future__ import annotations

from hypothesis import settings

# A shared machine is slow now and then; how fast a pure function is on it proves nothing.
settings.register_profile("erasure", deadline=None)
settings.load_profile("erasure")
