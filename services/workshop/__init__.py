"""Features for the labs only: faults that labkit arms, and a restart within the same process.

A service outside a workshop would not have this package. It imports nothing of services but the log.
"""
