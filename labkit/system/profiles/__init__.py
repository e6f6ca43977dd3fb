"""One module for each profile, found by its file: `PROFILE` is the profile."""
