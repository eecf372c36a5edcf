"""From files of others to tables: one module a format."""
