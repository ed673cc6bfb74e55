"""gunicorn, as systemd starts it."""

wsgi_app = "misagoforumorg.wsgi"
bind = "unix:/run/misago/gunicorn.sock"
workers = 2
accesslog = "/var/log/misago/access.log"
errorlog = "/var/log/misago/error.log"
