"""Features of architectures, read off their graphs."""
