"""The client that programs import as ``lunapass.client``; the load harness uses it too."""
