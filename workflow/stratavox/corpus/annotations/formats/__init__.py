"""The formats of annotation files, a module each, loaded by the format's name in the config.

A module has ``boxes(path, data, settings)``, the boxes of one file, and three facts: ``PATTERN``
matches its files below the dataset's folder, ``REQUIRED`` and ``OPTIONAL`` are the keys that an
entry ``annotations`` must and may have beside those of every format; an optional ``label`` is the
name of the column of labels and defaults to "label". It may have ``names_sounds(path, data)``:
whether the file itself names the recording of each box.
"""
