from deit_core.cli import main

main()
