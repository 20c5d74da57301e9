"""What is laid over a screen. A sheet never blocks: the screen behind it goes on being drawn."""
