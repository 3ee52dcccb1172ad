"""Feedback for one limit: from how full it is to the share of work that may run.

All work on logarithms of level / limit and of the share, where most machines look alike: one
percent more work is about one percent more of what is limited. Rates follow within seconds
(`fast`), holds and temperatures within minutes (`slow`). None knows units, names or reasons.
"""
