"""What labkit prints, and the screen that it prints on."""
