"""Verbs: one function for each thing a caller can do, and whether this caller may do it. Every edge calls these."""
