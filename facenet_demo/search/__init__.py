"""Hyperparameter search: any setting of the command line, judged on validation photos.

space.py     a YAML file -> settings and their ranges
study.py     one worker: draws settings, trains, records; Optuna keeps the books
command.py   the command line: workers, the live table, the winner
pictures.py  trials -> figures and a page
"""
