"""Reports: one self-contained page of HTML about a search, a comparison or a table."""
