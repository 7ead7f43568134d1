"""The data plane: an OpenAI-compatible gateway in a process of its own, which serves on when the control plane is down."""
