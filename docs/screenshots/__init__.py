"""Pictures and a film of the real dashboard, for the README and the docs. `python -m docs.screenshots`"""
