"""Simulators of the student's circuit behind one interface."""

from student_jax.engines.choose import ENGINES, build_engine, choose_engine
from student_jax.engines.interface import Engine

__all__ = ["ENGINES", "Engine", "build_engine", "choose_engine"]
