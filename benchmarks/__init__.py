"""Measurements that print; tests assert ratios and counts instead."""
