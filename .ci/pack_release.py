"""Packs the program of the wheel in a folder as a release's archive, beside it: what the action trt-perf downloads.

Usage: pack_release.py VERSION FOLDER
"""

import io
import sys
import tarfile
import zipfile
from pathlib import Path

NAME = "cargo-trt-perf"
version, folder = sys.argv[1], Path(sys.argv[2])
root = Path(__file__).parent.parent

(wheel,) = folder.glob("*.whl")
machine = next(m for m in ("x86_64", "aarch64") if wheel.stem.endswith(m))
with zipfile.ZipFile(wheel) as files:
    (entry,) = [n for n in files.namelist() if n.endswith(f".data/scripts/{NAME}")]
    program = files.read(entry)

inside = f"{NAME}-{version}"
with tarfile.open(folder / f"{inside}-{machine}-unknown-linux-gnu.tar.gz", "w:gz") as archive:
    info = tarfile.TarInfo(f"{inside}/{NAME}")
    info.size, info.mode = len(program), 0o755
    archive.addfile(info, io.BytesIO(program))
    for text in ("README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"):
        archive.add(root / text, f"{inside}/{text}")
