"""Files of weights: what formats they have, whether they are whole, and loading them. Nothing here runs what they hold.

Parsers read headers alone, believe no number in them before it is checked against the file, and have limits by name.
"""
