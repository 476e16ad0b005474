"""Error rates over labelled samples, and the effect of other thresholds on logged sessions."""
