"""Measurements that print figures; tests assert ratios and counts instead."""
