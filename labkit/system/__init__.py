"""The system under study, as data; see model.py."""
