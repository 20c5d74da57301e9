"""What can go wrong in the lab, said once."""


class LabError(Exception):
    """The lab could not do what it was asked; the message names the thing and the reason."""


class NoEngineError(LabError):
    """No Docker Engine answers, so there can be no lab on this machine."""
