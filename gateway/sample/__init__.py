"""A space filled with invented data: what a guest looks at, and a demonstration's patient.

Everything is made by the rooms themselves, as if people had done it.
"""

from gateway.sample.guests import SampleHouse
from gateway.sample.people import CAMILLE, LOUIS

__all__ = ["CAMILLE", "LOUIS", "SampleHouse"]
