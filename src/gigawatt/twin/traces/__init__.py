"""Workloads from files: each format is read into `Work`, with errors that name file, line, field and what is allowed."""
