"""Histories: what people do, drawn from a seed, and what must come of it by the rules of the books.

model.py says what a history is made of, draw.py draws one, play.py does what it says with act.py (what people do) and disturb.py (what is
done to the system meanwhile), pages.py reads each page of the API afterwards, and check.py puts these together. Property-based testing with
a model: https://doi.org/10.1145/351240.351266 (QuickCheck).
"""
