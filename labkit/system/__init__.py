"""The system under study, as data; see model.py."""

DEFAULT = "choreography"
"""The profile of a stack and of a lab that name none."""
