"""Images for the Docker runtime: which are used, built from packages, pulled, or carried in one file."""
