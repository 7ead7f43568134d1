"""Environments, code bundles and artifacts: built or stored once, known by what they are."""
