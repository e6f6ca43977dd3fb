"""What a verdict rests on beside the invariants: the machine, the stillness, and messages that were given up."""
