"""The servers a stack needs: where they are on this machine, how their data begins, and how they are called."""
