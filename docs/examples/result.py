"""Ask on your server for the result of a session, without any package.

Usage: python result.py https://face.example SESSION KEY_FILE
"""

import json
import sys
import time
import urllib.error
import urllib.request


def result_of(service, session, key, seconds=300):
    """Return what became of a session; raise TimeoutError where it stays undecided.

    The state is "decided", or "unknown" for a session that never began or ended long ago. For a
    decided session, verify "jwt" if "isOk" is true. Compare "start" with your start token if it is
    false: a client may name the session of another person.
    """
    url = f"{service}/sessions/{session}/result"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
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
