"""The formats of annotation files, a module each, loaded by the format's name in the config.

A module has ``boxes(path, data, settings)``, the boxes of one file, and ``PATTERN``, which matches
its files below the dataset's folder. It may have ``names_sounds(path, data, settings)``: whether
the file itself names the recording of each box. The config's schema says which keys a format takes.
"""
