"""Write the documents: ``python -m lunapass.protocol_docs docs``."""

import sys
from pathlib import Path

from lunapass.protocol_docs.codes import codes_page
from lunapass.protocol_docs.documents import documents, written

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "codes.md").write_text(codes_page())
    (folder / "schemas").mkdir(exist_ok=True)
    for name, document in documents().items():
        (folder / "schemas" / name).write_text(written(document))
