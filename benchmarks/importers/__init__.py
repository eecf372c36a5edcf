"""Importers, which make tables of files of other formats: one module a format."""
