"""What exists for the labs alone: faults that labkit arms, and a restart within the same process.

A service without a workshop would leave all of this out. Nothing here imports anything of services but its log.
"""
