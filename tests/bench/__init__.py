"""Measurements that people start by hand; bounds are ratios to a peer measured in the same run."""
