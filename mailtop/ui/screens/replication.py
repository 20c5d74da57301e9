"""Replication: who is primary, replicas, VIP, failover readiness."""

from mailtop.ui.boards import board

SCREEN = board("7", "replication", "Replication", "who is primary, replicas, VIP, failover readiness")
