"""What changes and what is to be done, given the world, an input and the time. Pure: effects are values."""
