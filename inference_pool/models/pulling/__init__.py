"""What `lunapass models pull` does: networks are fetched, converted and rewritten."""
