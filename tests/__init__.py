"""The tests of surrogate_nas."""
