"""Results for people: terminal, pictures, statistics."""
