"""The subcommands of ``lunapass``, one module each, imported only when called."""
