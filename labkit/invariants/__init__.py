"""What must hold between the stores: one `.sql` a rule, and the catalogue that says each in words."""
