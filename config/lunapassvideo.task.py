"""What happens to a session's video once it is made.

The video worker calls the function that args.workerTask of [MIDDLEWARES.WS.VideoRedis] names:
"task.run" is run() below, "task.upload" would be a function upload() in this file.

A function gets one argument with
    film.session    id of the session
    film.video      path of the MP4 file, in the folder of [VIDEO] directory
    film.side_file  path of the JSON file: verdict, codes and times of each frame
    film.accepted   True, False, or None when the session has no verdict
    film.frames, film.skipped, film.seconds, film.sha256

A function that raises is called again after a pause, at most three times; after that the job stands
under "lunapass video failed", and the session's frames are kept for args.failureTtl. It must be
idempotent: it may be called twice for one video, if a worker dies between its end and its record.
"""

import shutil
from pathlib import Path

ARCHIVE = Path("ARCHIVE")


def run(film):
    """Move video and side file to ARCHIVE/ab/abcd....mp4, each atomically."""
    folder = ARCHIVE / film.session[:2]
    folder.mkdir(parents=True, exist_ok=True)
    for file in (film.video, film.side_file):
        unfinished = folder / f".{file.name}"
        shutil.copyfile(file, unfinished)
        unfinished.replace(folder / file.name)
        file.unlink()


# To S3 and compatible stores (pip install boto3; credentials as boto3 finds them):
#
# import boto3
#
# def run(film):
#     store = boto3.client("s3")
#     for file in (film.video, film.side_file):
#         store.upload_file(str(file), "my-bucket", f"liveness/{file.name}")
#         file.unlink()


# To a web address, by HTTP (httpx is installed with the service):
#
# import httpx
#
# def run(film):
#     with film.video.open("rb") as video, film.side_file.open("rb") as side_file:
#         answer = httpx.post(
#             "https://archive.example.org/videos",
#             headers={"Authorization": "Bearer ..."},
#             data={"session": film.session, "sha256": film.sha256},
#             files={"video": video, "side_file": side_file},
#             timeout=60,
#         )
#     answer.raise_for_status()
#     film.video.unlink()
#     film.side_file.unlink()
