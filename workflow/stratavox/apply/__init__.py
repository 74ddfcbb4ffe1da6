"""`python -m stratavox apply`: a finished run's readout and probe, on recordings without labels."""
