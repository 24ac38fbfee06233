"""What holds for all tests."""

import os

# Misuse of GObject is only a line on stderr otherwise. GLib reads this when it is loaded.
os.environ["G_DEBUG"] = "fatal-criticals"
