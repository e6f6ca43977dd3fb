"""The parts of a collection, in the order in which collect.py uses them.

model.py: the data. moment.py reads end_state.py, every store as it is, at a moment at which nothing moves. over_time.py: every change up
to that moment. surroundings.py: faults, processes and their last words. facts.py: the run itself, and how the wait ended.
"""
