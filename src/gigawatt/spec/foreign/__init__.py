"""Files of other systems, read as far as they mean something here: text in, our documents and what is missing out.

`convert` is the door. Each system has a module; `script` and `launch` read the shell that they all carry.
"""
