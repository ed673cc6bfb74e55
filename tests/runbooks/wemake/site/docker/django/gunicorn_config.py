"""How gunicorn serves the site."""

bind = "unix:/run/wemake/gunicorn.sock"
workers = 2
accesslog = "-"
capture_output = True
