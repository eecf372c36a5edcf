"""Architectures as PyTorch modules: one file a space, and `build_network` for all of them."""
