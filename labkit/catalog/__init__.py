"""The labs on disk: manifests, guides, checks, and the proof of each lab."""
