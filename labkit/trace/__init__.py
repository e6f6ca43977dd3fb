"""Trace one order, customer or message through the stores, hop by hop.

The facts come from the tables of an evidence database: a file, or the running stack as `labkit trace` reads it. The messages and
subscribers on the path come from the evidence too (see system.py), so these modules name none.
"""
