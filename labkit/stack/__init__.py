"""What runs: the stack as data, the runtimes that bring it up, and where its state is kept."""
