"""Pretend vendors: real HTTP, state in memory, the vendors' own traps. Connectors do not know them."""
