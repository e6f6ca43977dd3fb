"""Faults: each one happens at the intended moment, is proven to have happened, and is removed completely.

The ledger (`ledger.py`) has an entry for each fault. Each fault belongs to a primitive (`registry.py` lists them), which defines how to
apply the fault, the exact inverse, a probe that detects remains of it, and a proof that it fired. `engine.py` applies and heals faults.
`control.py` communicates with the services. `specify.py` turns the request of a person or a scenario into a FaultSpec.
"""
