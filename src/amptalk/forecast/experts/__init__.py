"""Experts: each predicts the next values in its own way. One file, one expert.

What they have in common is in `contract`, which of them are asked in `team`. How far
each is followed is decided by the mixture, not here.
"""
