"""Mutants made by rule: each is the right code with one small mistake, and a check must fail it.

Mutation analysis measures how good the checks are: https://doi.org/10.1109/C-M.1978.218136 (DeMillo, Lipton and Sayward, 1978). python.py,
sql.py, lua.py and yaml_steps.py hold the rules of each language, generate.py puts the mutants together.
"""
