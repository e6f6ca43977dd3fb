"""The contracts: the messages that each service publishes and to which other services react.

A service imports the contracts of other services, and nothing else from them.
"""
