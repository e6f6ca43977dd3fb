"""What must hold between the stores: a folder for each invariant, `iN_name`, found by its name.

rule.py          `RULE`: what it says, what it needs, and how each way to violate it is explained, see model.py
violations.sql   its rows are the violations; opens with the meaning and an example
judged.sql       how much there was to judge

A lab may bring its own: labs/NN-name/invariants/iN_name/.
"""
