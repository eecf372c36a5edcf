"""What networks cost on a device: latency, memory, energy."""
