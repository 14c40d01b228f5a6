"""One step each; classes that are handed what they need."""
