"""Random faults for proof, not for teaching: a schedule drawn from a seed, played under load, judged, and shrunk when it fails."""
