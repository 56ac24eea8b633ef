"""The error that a call has to raise. Runs on both interpreters."""


def raised(kind, call, *args, **options):
    """The error of that class that a call raises; AssertionError where it raises none."""
    try:
        call(*args, **options)
    except kind as e:
        return e
    raise AssertionError("accepted %r" % (args,))
