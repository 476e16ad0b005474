"""What `lunapass models pull` builds: converted and rewritten networks; no worker imports it."""
