"""The way of one order, customer or message through the stores, hop by hop, from the tables of an evidence database: a file, or the running
stack as `labkit trace` reads it.

Which messages and subscribers are on that way comes from the evidence, too (see system.py): these modules name none.
"""
