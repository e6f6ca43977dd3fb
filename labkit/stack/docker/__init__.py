"""The Docker runtime: the servers and services as containers of this machine's engine.

`docker compose` creates the containers from compose/compose.yaml. Later actions use the engine's API or the docker SDK, and find the
containers by compose's labels.

`runtime.py` implements the Runtime interface. `containers.py` finds the containers and sends requests to the engine, and `status.py` says
what each container does. `events.py` and `logs.py` read what the engine recorded. `network.py` disconnects and reconnects containers, and
`restart.py` restarts a service inside its container.
"""
