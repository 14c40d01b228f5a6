"""What a request costs: the real thing beside two floors, every part in a process of its own."""
