"""The demonstration: a trust space of two operators on this machine, and the mission played in it."""

from gateway.demo.play import play
from gateway.demo.scene import Scene, prepare_demo
from gateway.demo.stage import serve_demo

__all__ = ["Scene", "play", "prepare_demo", "serve_demo"]
