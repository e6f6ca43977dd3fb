"""The servers that a stack needs: find them on this machine, create their data directories, and build their command lines."""
