"""Labelled images and graphs, in three disjoint parts; `base.open_dataset` opens all of them."""
