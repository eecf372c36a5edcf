"""Zero-cost proxies: what untrained networks promise."""
