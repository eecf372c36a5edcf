"""Tests of tables and their tasks."""
