"""One module for each command. None is imported before it is used."""
