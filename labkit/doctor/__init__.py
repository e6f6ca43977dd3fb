"""labkit doctor: what a stack needs of this machine, and what of it is there. Looks only; changes nothing."""
