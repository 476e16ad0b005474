"""Deployment: systemd units, and archives for offline installation."""
