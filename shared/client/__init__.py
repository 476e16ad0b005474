"""The Python client, which programs import as ``lunapass.client``; the load test uses it too."""
