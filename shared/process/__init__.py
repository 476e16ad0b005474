"""One process: its start and end, its clock, its CPUs, its files and what it reports."""
