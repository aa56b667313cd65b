"""How fast the program trains, starts and answers."""
