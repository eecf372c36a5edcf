"""Learned optimisers: meta-trained rules that replace a recipe's own optimiser."""
