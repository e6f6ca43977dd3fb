"""What leaves this machine for whoever helps: a report, a bundle, and neither with a secret in it."""
