"""Debiased linear centred kernel alignment (CKA): how similarly two readouts arrange clips.

CKA (Kornblith et al. 2019, ICML, "Similarity of neural network representations revisited") with
the unbiased HSIC_1 of Song et al. 2012 (JMLR 13:1393, eq. 5) in place of the biased estimate, as
Nguyen et al. 2021 (ICLR, "Do wide and deep networks learn the same things?"). The biased one is
near 1 for independent noise wherever a readout is wider than there are clips.

HSIC_1 is an inner product of U-centred Gram matrices (Szekely & Rizzo 2014, Annals of Statistics
42:2382, section 2), so the debiased CKA is their cosine. Only upper triangles, of unit norm, are
held: one row a readout, from which all pairs follow by one matrix product.
"""

from __future__ import annotations

import numpy as np

# U-centring divides by n - 3 and n - 2.
FEWEST_CLIPS = 4


def signature(x: np.ndarray) -> np.ndarray | None:
    """The U-centred linear Gram matrix of ``x`` (clips, width) as a unit vector, float32.

    Its length is clips * (clips - 1) / 2, the part above the diagonal. None for a readout whose
    clips are all equal, as CKA is undefined then. Needs `FEWEST_CLIPS` clips.
    """
    if np.all(x == x[0]):
        return None
    n = len(x)
    # HSIC_1 does not depend on an offset of x, which would cost precision
    x = x - x.mean(axis=0, dtype=np.float64)
    gram = x @ x.T
    np.fill_diagonal(gram, 0)
    row = gram.sum(axis=1) / (n - 2)
    gram -= row[:, None]
    gram -= row
    gram += row.sum() / (n - 1)
    vector = gram[np.triu_indices(n, 1)]
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def debiased_cka(signatures: np.ndarray) -> np.ndarray:
    """Debiased CKA between all rows of ``signatures`` (readouts, pairs): (readouts, readouts).

    At most 1; about 0 for unrelated readouts, above or below it by chance.
    """
    return (signatures @ signatures.T).astype(np.float64)
