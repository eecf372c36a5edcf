"""Labelled images, in three disjoint parts; `base.open_dataset` opens all of them."""
