"""The tests, and what they share. They go through all ops, so all are declared here."""

import gradx.random
import gradx.special  # noqa: F401 -- for what it declares
