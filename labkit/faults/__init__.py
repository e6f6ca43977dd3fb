"""Faults that happen when they should, are proven to have happened, and are gone afterwards.

Each fault is an entry of the ledger (`ledger.py`) and belongs to a primitive (`registry.py` lists them): how it is applied, its exact
inverse, a probe that tells whether anything of it is left, and a proof that it fired. `engine.py` applies and heals; `control.py` reaches
the services; `make.py` turns what a person or a scenario says into an order.
"""
