"""Figures of the product, each run with one command. They print a table and write JSON; nothing here is a test."""
