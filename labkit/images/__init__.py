"""Images for the Docker runtime: choose them, build them from packages, pull them, or transfer them in one file."""
