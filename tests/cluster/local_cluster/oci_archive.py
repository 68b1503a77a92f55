"""An image of static programs as an OCI archive: what `ctr images import` reads, made with no builder.

Format: https://github.com/opencontainers/image-spec (image-layout.md, manifest.md, config.md), one uncompressed layer.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_NOBODY = "65532:65532"


def write(
    target: Path, name: str, programs: Mapping[str, Path], links: Mapping[str, str], command: Sequence[str]
) -> None:
    """Write the image `name` to `target`.

    `programs` maps names in the image's root to files here, `links` names in the root to what they point to; `command`
    is what runs by default, as user and group 65532. The same files give the same bytes.
    """
    layer = _tar({name: path.read_bytes() for name, path in programs.items()}, links)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [command[0]], "Cmd": list(command[1:]), "User": _NOBODY, "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    blobs: dict[str, bytes] = {}
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _stored(blobs, _json(config), "application/vnd.oci.image.config.v1+json"),
        "layers": [_stored(blobs, layer, "application/vnd.oci.image.layer.v1.tar")],
    }
    entry = _stored(blobs, _json(manifest), "application/vnd.oci.image.manifest.v1+json")
    entry["annotations"] = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
    files = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json({"schemaVersion": 2, "manifests": [entry]}),
        **blobs,
    }
    target.write_bytes(_tar(files, {}))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _stored(blobs: dict[str, bytes], blob: bytes, media_type: str) -> dict[str, object]:
    digest = _digest(blob)
    blobs[f"blobs/{digest.replace(':', '/')}"] = blob
    return {"mediaType": media_type, "digest": digest, "size": len(blob)}


def _tar(files: Mapping[str, bytes], links: Mapping[str, str]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        for name, to in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, to
            tar.addfile(entry)
    return archive.getvalue()
