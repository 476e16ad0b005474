"""The browser library and the kiosk page: sources in ``src``, what is served in ``dist``."""
