"""What must hold between the stores. Each invariant is a folder `iN_name`, found by its name:

rule.py          `RULE`: its sentence, its sources, and the explanation of each kind of violation, see model.py
violations.sql   a query whose rows are the violations; starts with the meaning and an example
judged.sql       a query that counts what there was to judge

A lab can have invariants of its own: labs/NN-name/invariants/iN_name/.
"""
