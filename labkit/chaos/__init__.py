"""Random faults for proof, not for teaching: a schedule is drawn from a seed, played under load, judged, and shrunk if it fails."""
