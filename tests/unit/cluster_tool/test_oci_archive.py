"""An image made without a builder is one that follows the format, the same each time."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from local_cluster import oci_archive


def written(target: Path) -> Path:
    program = target.with_suffix(".program")
    program.write_bytes(b"\x7fELF")
    oci_archive.write(target, "localhost/x:1", {"tool": program}, {"alias": "tool"}, ["/alias", "now"])
    return target


def read(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]


def blob(files: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    content = files["blobs/" + descriptor["digest"].replace(":", "/")]
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == descriptor["digest"]
    assert len(content) == descriptor["size"]
    return content


def test_every_blob_is_what_its_descriptor_says(tmp_path: Path) -> None:
    files = read(written(tmp_path / "image.tar"))
    (entry,) = json.loads(files["index.json"])["manifests"]
    assert entry["annotations"]["io.containerd.image.name"] == "localhost/x:1"
    manifest = json.loads(blob(files, entry))
    config = json.loads(blob(files, manifest["config"]))
    assert (config["config"]["Entrypoint"], config["config"]["Cmd"]) == (["/alias"], ["now"])
    assert config["config"]["User"] == "65532:65532"
    (layer,) = [blob(files, descriptor) for descriptor in manifest["layers"]]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        assert (tar.getmember("tool").mode, tar.getmember("alias").linkname) == (0o755, "tool")


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    assert written(tmp_path / "one.tar").read_bytes() == written(tmp_path / "two.tar").read_bytes()
