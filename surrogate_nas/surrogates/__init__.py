"""Models that answer for every architecture of a space, fitted to the rows of some."""
