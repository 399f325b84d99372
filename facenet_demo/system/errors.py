"""What a user can mend is an error of its own kind."""

from __future__ import annotations


class UserError(Exception):
    """A mistake of the user's that a message can mend; scripts print it without a traceback.

    The message names an argument in backquotes, as Python has it: `num_guesses`, or a setting of a
    training by its place in a `Recipe`: `data.split.val`. A command shows those as its flags, see
    `system.spelling`.
    """
