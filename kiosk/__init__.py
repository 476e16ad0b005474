"""The browser library and the kiosk page: sources in ``src``, the build in ``dist``."""
