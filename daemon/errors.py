"""What may end the process, each with the exit code systemd and the shell see."""

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h: a restart cannot help


class FatalError(Exception):
    """The process must end; the text is one line for the operator: what, where, what to do."""

    exit_code = EXIT_FAILURE


class ConfigurationFault(FatalError):
    """Nothing but a change of the configuration can help."""

    exit_code = EXIT_CONFIG
