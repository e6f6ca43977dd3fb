"""What keeps this repository in order."""
