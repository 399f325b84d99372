"""What a user can mend is an error of its own kind."""

from __future__ import annotations


class UserError(Exception):
    """A mistake of the user's that a message can mend; scripts print it without a traceback."""
