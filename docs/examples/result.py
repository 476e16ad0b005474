"""Ask on your server for the result of a session, without any package.

Usage: python result.py https://face.example SESSION KEY_FILE
"""

import json
import re
import sys
import time
import urllib.error
import urllib.request


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Raises HTTPError for a redirect: urllib would send the key to the other address."""

    def redirect_request(self, *_):
        """Return None, so that no request follows."""


opener = urllib.request.build_opener(NoRedirects)


def result_of(service, session, key, seconds=300):
    """Return what became of a session; raise TimeoutError where it stays undecided.

    Raise ValueError for what is no session id, such as a path that a client reports instead of one.

    The state is "decided", or "unknown" for a session that never began or ended long ago. For a
    decided session, verify "jwt" if "isOk" is true. Compare "start" with your start token if it is
    false: a client may name the session of another person.
    """
    if not re.fullmatch("[0-9a-f]{32}", session):
        raise ValueError(f"{session!r} is no session id")
    url = f"{service}/sessions/{session}/result"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with opener.open(request, timeout=10) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return json.load(error)
            if error.code != 503:  # such as 401: another key
                raise
            answer = {"state": "unavailable"}
        if answer["state"] == "decided":
            return answer
        time.sleep(1)
    raise TimeoutError(f"session {session} is undecided")


if __name__ == "__main__":
    service, session, key_file = sys.argv[1:]
    with open(key_file) as file:
        print(json.dumps(result_of(service, session, file.read().strip())))
