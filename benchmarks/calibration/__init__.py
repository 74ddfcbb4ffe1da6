"""Claims held against worlds whose truth is known: measured error rates beside nominal ones."""
