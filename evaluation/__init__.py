"""How good the verdict is: error rates over labelled samples, and what tuning would change."""
