"""Wait until the system is still. The decision rests on positions and outstanding work, never on how long labkit has waited.

A *sample* contains all positions and the outstanding work at one time. *Still*: two samples, at least 250 ms apart, have equal positions,
and nothing is outstanding in them, in between or after. *Settled*: still, and no order of interest is PENDING.

model.py: the data. watcher.py takes samples from the stores, over connections.py; outstanding.py finds unfinished work. wait.py decides
from the samples. movement.py says what moved, and who writes. rows.py: the samples as rows of the evidence.
"""
