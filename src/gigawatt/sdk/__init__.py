"""The Python client: everything that the API can do, typed, and nothing that the server needs.

`import gigawatt as gw` names what people use; `gw.Client` finds the instance on this machine by itself.
"""
