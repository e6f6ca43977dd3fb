"""The native runtime: the servers and services as processes of this machine, under one supervisor.

`runtime.py` implements the Runtime interface. `plan.py` decides how each component is started, `supervisor.py` is the program that starts
them, and `supervisor_client.py` talks to it. `events.py` reads what the supervisor recorded about the processes.
"""
