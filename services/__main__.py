"""`python -m services` is the `runnerly` command. Thin on purpose: worker processes import this module at spawn."""

if __name__ == "__main__":
    from services.command.main import main

    main()
