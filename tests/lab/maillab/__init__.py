"""A real mail platform on one machine: its images, containers, traffic and faults.

Only the standard library is used, because ``make lab`` runs before any virtual environment exists.
"""
