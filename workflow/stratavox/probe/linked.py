"""Groups by several columns at once: what no split may part is what their values link."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def names(cells: Sequence[tuple[str, ...]]) -> list[str]:
    """The group of each clip, from its ``cells`` (one for each column).

    Clips that share a value of any column are linked, and so are clips that are linked to the same
    clip: groups are the connected components. No value of any column is in two groups. A group is
    named by its first value of each column, in alphabetical order.
    """
    clips = pd.DataFrame(cells, dtype=object)
    first = clips.groupby(components(cells)).transform("min")
    return [" / ".join(row) for row in first.itertuples(index=False)]


def components(cells: Sequence[tuple[str, ...]]) -> np.ndarray:
    """The number (clips,) of the component of each clip, linked as in `names`."""
    clips = pd.DataFrame(cells, dtype=object)
    rows, nodes, count = np.tile(np.arange(len(clips)), clips.shape[1]), [], len(clips)
    for column in clips:
        number, values = pd.factorize(clips[column])
        nodes.append(count + number)
        count += len(values)
    edges = coo_array((np.ones(len(rows)), (rows, np.concatenate(nodes))), shape=(count, count))
    return connected_components(edges, directed=False)[1][: len(clips)]


def largest(groups: Sequence[str]) -> int:
    """Clips of the largest group."""
    return max(Counter(groups).values())
