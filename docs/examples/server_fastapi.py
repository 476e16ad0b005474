"""Begin a check and verify its verdict in FastAPI: pip install fastapi uvicorn 'pyjwt[crypto]'.

START_KEY=... VERDICT_KEY=... uvicorn server_fastapi:app
"""

import os
import secrets
from typing import Annotated

import jwt
from checks import Checks  # checks.py of this folder
from fastapi import Cookie, FastAPI, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse

app = FastAPI()
checks = Checks(os.environ["START_KEY"], os.environ["VERDICT_KEY"])
logins = {}  # cookie -> person


@app.post("/login")
async def login(person: str, response: Response):
    """Replace this by your own login: it believes any name."""
    cookie = secrets.token_urlsafe(16)
    logins[cookie] = person
    response.set_cookie("login", cookie, httponly=True, samesite="strict")


@app.post("/start", response_class=PlainTextResponse)
async def start(login: Annotated[str, Cookie()] = ""):
    """Give the page a start token; call checks.start yourself for a kiosk without a login."""
    return checks.start(logged_in(login), "web")


@app.post("/verdict")
async def verdict(request: Request, login: Annotated[str, Cookie()] = ""):
    """Take the verdict's token, some 250 kB, from the page."""
    person = logged_in(login)
    try:
        claims = checks.finish(person, (await request.body()).decode())
    except (jwt.InvalidTokenError, KeyError, ValueError) as error:
        raise HTTPException(403) from error
    return {"person": claims["sub"]}


def logged_in(cookie):
    """Return who is logged in; never take the person from the request."""
    if cookie not in logins:
        raise HTTPException(401)
    return logins[cookie]
