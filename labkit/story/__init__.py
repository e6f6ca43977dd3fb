"""The way of one order, customer or message through the stores, hop by hop, as the tables of an evidence database tell it: in a file,
or read live by `labkit trace`.
"""
