"""What holds for every test: hypothesis repeats itself exactly and watches no clock."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("qingyu", deadline=None, derandomize=True, database=None)
settings.load_profile("qingyu")
