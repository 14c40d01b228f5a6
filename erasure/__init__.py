"""The language of the work: plain Python, no I/O, no Temporal."""
