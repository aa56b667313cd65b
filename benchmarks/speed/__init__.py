"""How fast the program trains and starts, and its memory."""
