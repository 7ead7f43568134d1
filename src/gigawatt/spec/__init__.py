"""Text to model: parse, default, validate. Nothing here reads a file, a clock or a database.

`documents` turns YAML into plain data with positions, `parse` turns plain data or JSON into frozen values of the model.
"""
