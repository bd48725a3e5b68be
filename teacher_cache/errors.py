"""The one exception that a user can cause: bad input, a wrong parameter, a missing file.

In: nothing.  Out: UserError.  Imports: nothing.
"""


class UserError(Exception):
    """What the user can put right; its message is one line: what is wrong and what to do.

    The command line prints the message alone and exits with code 2.
    """
