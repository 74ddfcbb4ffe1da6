"""From out-of-fold predictions to measures on groups, a module for each kind of task.

A module has ``BOUNDS``, those of its metric; ``LEAST_NULL``, below which permuted labels do not
count; ``COLUMNS``, what it adds to each prediction; ``scored(predictions)``, which adds them;
``clips(scored, parts)``, one row for each clip within the columns ``parts``; and
``measures(clips)``, the measures of such rows by name: ``correct``, of the kind's metric, and for
classes ``bits``.
"""
