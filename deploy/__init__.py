"""How the service gets onto machines: units for systemd, archives for installs without network."""
