"""The command `softdiffusion`; one short file a subcommand."""
