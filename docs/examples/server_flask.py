"""Begin a check and verify its verdict in Flask: pip install flask 'pyjwt[crypto]'.

START_KEY=... VERDICT_KEY=... LOGIN_KEY=... flask --app server_flask run
"""

import os

import jwt
from checks import Checks  # checks.py of this folder
from flask import Flask, abort, request, session

app = Flask(__name__)
app.secret_key = os.environ["LOGIN_KEY"]
checks = Checks(os.environ["START_KEY"], os.environ["VERDICT_KEY"])


@app.post("/login")
def login():
    """Replace this by your own login: it believes any name."""
    session["person"] = request.args["person"]
    return ""


@app.post("/start")
def start():
    """Give the page a start token; call checks.start yourself for a kiosk without a login."""
    return checks.start(logged_in(), "web")


@app.post("/verdict")
def verdict():
    """Take the verdict's token, some 250 kB, from the page."""
    try:
        claims = checks.finish(logged_in(), request.get_data(as_text=True))
    except (jwt.InvalidTokenError, KeyError, ValueError):
        abort(403)
    return {"person": claims["sub"]}


def logged_in():
    """Return who is logged in; never take the person from the request."""
    if "person" not in session:
        abort(401)
    return session["person"]
