"""Decisions and waiting only; deterministic; short."""
