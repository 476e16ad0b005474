"""`lunapass models pull`: fetches, converts and rewrites networks."""
