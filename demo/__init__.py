"""One request from beginning to end, on this machine, against pretend vendors."""
