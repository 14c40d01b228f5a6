"""Temporal: a client built in one place, and a real server for a machine that has none."""
