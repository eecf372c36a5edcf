"""Predictors that learn across tasks."""
