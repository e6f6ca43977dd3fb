"""What the services say to each other: the messages of each service, for it to publish and for the others to react to.

A service imports the contracts of others and nothing else of them.
"""
