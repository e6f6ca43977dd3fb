"""One module for each profile. A profile is found by its module's name; `PROFILE` holds it."""
