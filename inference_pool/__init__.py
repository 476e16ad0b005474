"""Worker processes: each has one model set and one CPU, and estimates one frame at a time."""
