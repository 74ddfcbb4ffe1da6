"""Tables of clips that are no text, a module for each format, loaded by name.

A module has ``records(path)``: the number and the cells of each row, the header first.
"""
